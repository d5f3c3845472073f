import { CommandError } from "../../cli/errors";
import type { DatabaseContent } from "../manifest";

/** What databases hold, by name. */
export type Content = Readonly<Record<string, DatabaseContent>>;

/**
 * Compares what was restored with what the set says it held, to the row and to the byte of a dump.
 *
 * @throws CommandError naming every difference.
 */
export function requireSameContent(set: string, expected: Content, restored: Content): void {
  const differences = [...new Set([...Object.keys(expected), ...Object.keys(restored)])].flatMap(
    (database) => differencesOf(database, expected[database], restored[database]),
  );
  if (differences.length > 0)
    throw new CommandError(
      `What was restored is not what the set ${set} held: ${differences.join("; ")}. What is live was not touched.`,
      "Choose another set, and verify this one: ./mlops backups shows which are verified.",
    );
}

function differencesOf(
  database: string,
  expected: DatabaseContent | undefined,
  restored: DatabaseContent | undefined,
): string[] {
  if (expected === undefined) return [`the database ${database} is new`];
  if (restored === undefined) return [`the database ${database} is missing`];
  const differences: string[] = [];
  if (expected.revision !== restored.revision)
    differences.push(
      `${database} is at revision ${restored.revision ?? "none"} instead of ${expected.revision ?? "none"}`,
    );
  for (const table of new Set([...Object.keys(expected.rows), ...Object.keys(restored.rows)])) {
    const [was, is] = [expected.rows[table], restored.rows[table]];
    if (was !== is)
      differences.push(
        `${database}: ${table} has ${is ?? "no table"} instead of ${was ?? "no table"} rows`,
      );
  }
  if (differences.length === 0 && expected.dumpSha256 !== restored.dumpSha256)
    differences.push(`${database}: as many rows, but other content`);
  return differences;
}
