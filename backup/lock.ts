import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { CommandError } from "../cli/errors";
import type { Places } from "./settings";

/** Of `flock`, when somebody else has the lock. */
const TAKEN = 75;

/**
 * Does work on the repository that nobody else may do meanwhile, also in another container. The
 * kernel holds the lock, and lets it go when this process ends in whatever way.
 *
 * @param what the work, such as `backup`; told to who is refused.
 * @throws CommandError at once where somebody has it.
 */
export async function withRepositoryLock<T>(
  places: Pick<Places, "backup">,
  what: string,
  work: () => Promise<T>,
): Promise<T> {
  const file = join(places.backup, "lock");
  const owner = join(places.backup, "lock.json");
  // It keeps the file locked until its standard input ends, and that ends with this process.
  const holder = spawn(
    "flock",
    ["--nonblock", `--conflict-exit-code=${TAKEN}`, file, "sh", "-c", "echo held; exec cat"],
    { stdio: ["pipe", "pipe", "pipe"] },
  );
  const complaint: string[] = [];
  holder.stderr.setEncoding("utf8").on("data", (text: string) => complaint.push(text));
  const ended = once(holder, "close") as Promise<[number | null]>;
  const held = await Promise.race([
    once(holder.stdout, "data").then(() => undefined),
    ended.then(([code]) => code ?? -1),
  ]);
  if (held === TAKEN)
    throw new CommandError(
      `The repository is in use: ${describeOwner(owner)}. Nothing was changed.`,
      "Wait until that ends, and run this command again.",
    );
  if (held !== undefined)
    throw new CommandError(
      `${file} cannot be locked: ${complaint.join("").trim()}`,
      "Look whether the volume is mounted writable, and whether its disk is full.",
    );
  try {
    writeFileSync(owner, JSON.stringify({ what, since: new Date().toISOString() }));
    return await work();
  } finally {
    holder.stdin.end();
    await ended;
  }
}

function describeOwner(file: string): string {
  try {
    const { what, since } = JSON.parse(readFileSync(file, "utf8")) as Record<string, string>;
    return `a ${what ?? "command"} runs since ${since ?? "a moment ago"}`;
  } catch {
    return "another command runs";
  }
}
