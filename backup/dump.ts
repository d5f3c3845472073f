import { createHash } from "node:crypto";
import { execa } from "execa";
import { createInterface } from "node:readline";
import { POSTGRES_USER } from "./settings";

/** Which content of which database. */
export interface DumpRequest {
  readonly database: string;
  /** Folder of the server's socket. */
  readonly socket: string;
  /** Exported by another transaction. @default what there is now */
  readonly snapshot?: string;
}

/** Lines that differ between two dumps of the same content. */
const VARIES = [
  // A random word in each dump.
  /^\\(un)?restrict /,
  // Versions of server and program.
  /^-- Dumped (from|by) /,
  // Sequences are no part of a snapshot, and after a replay up to 32 ahead.
  /^SELECT pg_catalog\.setval\(/,
];

/**
 * SHA-256 of a logical dump: equal for equal content of the same cluster, also in a copy of its
 * files, where the rows lie in the same order.
 *
 * @throws Error with what pg_dump complained of.
 */
export async function dumpSha256({ database, socket, snapshot }: DumpRequest): Promise<string> {
  const child = execa(
    "pg_dump",
    [
      `--host=${socket}`,
      "--username=postgres",
      "--no-password",
      ...(snapshot === undefined ? [] : [`--snapshot=${snapshot}`]),
      `--dbname=${database}`,
    ],
    { ...POSTGRES_USER, stdin: "ignore", buffer: { stdout: false, stderr: true }, reject: false },
  );
  const hash = createHash("sha256");
  for await (const line of createInterface({ input: child.stdout }))
    if (!VARIES.some((pattern) => pattern.test(line))) hash.update(line).update("\n");
  const { failed, stderr, shortMessage } = await child;
  if (failed) throw new Error(`${database} cannot be dumped: ${stderr || shortMessage}`);
  return hash.digest("hex");
}
