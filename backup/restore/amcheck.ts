import { CommandError, messageOf } from "../../cli/errors";
import { ProgramError, runTool } from "../program";
import { listDatabases, withClient } from "./content";

const EXTENSION = "amcheck";

/**
 * Looks at every page of every table and index, and whether the indexes have every row. Leaves the
 * databases as they were.
 *
 * @param socket folder of the server's socket.
 * @throws CommandError naming what is damaged.
 */
export async function requireIntact(socket: string): Promise<void> {
  const without: string[] = [];
  for (const database of await listDatabases(socket))
    if (!(await hasExtension(socket, database))) without.push(database);
  try {
    await runTool(
      "pg_amcheck",
      [`--host=${socket}`, "--username=postgres", "--all", "--heapallindexed", "--install-missing"],
      { asPostgres: true },
    );
  } catch (error) {
    if (!(error instanceof ProgramError)) throw error;
    throw new CommandError(
      `The restored database is damaged: ${messageOf(error)}. What is live was not touched.`,
      "Choose an earlier set: what was backed up was damaged already, if the set is verified.",
      { cause: error },
    );
  }
  for (const database of without)
    await withClient(socket, database, (client) =>
      client.query(`DROP EXTENSION IF EXISTS ${EXTENSION}`),
    );
}

async function hasExtension(socket: string, database: string): Promise<boolean> {
  return withClient(socket, database, async (client) => {
    const { rowCount } = await client.query("SELECT FROM pg_extension WHERE extname = $1", [
      EXTENSION,
    ]);
    return rowCount === 1;
  });
}
