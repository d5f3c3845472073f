import { Client } from "pg";
import { dumpSha256 } from "../dump";
import type { DatabaseContent, ModelVersion } from "../manifest";
import { DATABASES, readCounts, readModels } from "../point";

/** What a restored server holds. */
export interface Restored {
  readonly databases: Readonly<Record<string, DatabaseContent>>;
  readonly models: readonly ModelVersion[];
  /** Time of the last change that was replayed, ISO 8601; undefined when none was. */
  readonly lastChange: string | undefined;
}

/**
 * Reads all that the databases of a server hold that nobody else writes to.
 *
 * @param socket folder of the server's socket.
 */
export async function readRestored(socket: string): Promise<Restored> {
  const databases: Record<string, DatabaseContent> = {};
  for (const database of DATABASES)
    databases[database] = {
      ...(await withClient(socket, database, readCounts)),
      dumpSha256: await dumpSha256({ database, socket }),
    };
  const models = await withClient(socket, "mlflow", readModels);
  const lastChange = await withClient(socket, "postgres", async (client) => {
    const { rows } = await client.query<{ at: Date | null }>(
      "SELECT pg_last_xact_replay_timestamp() AS at",
    );
    return rows[0]?.at?.toISOString();
  });
  return { databases, models, lastChange };
}

/** Names of all databases that can be connected to. */
export function listDatabases(socket: string): Promise<string[]> {
  return withClient(socket, "postgres", async (client) => {
    const { rows } = await client.query<{ datname: string }>(
      "SELECT datname FROM pg_database WHERE datallowconn ORDER BY 1",
    );
    return rows.map(({ datname }) => datname);
  });
}

/** Does work with a connection as superuser. */
export async function withClient<T>(
  socket: string,
  database: string,
  work: (client: Client) => Promise<T>,
): Promise<T> {
  const client = new Client({ host: socket, user: "postgres", database });
  await client.connect();
  try {
    return await work(client);
  } finally {
    await client.end();
  }
}
