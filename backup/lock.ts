import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { CommandError } from "../cli/errors";
import type { Places } from "./settings";

/** Of `flock`, when somebody else has the lock. */
const TAKEN = 75;

/** How a file is locked. */
interface LockOptions {
  /** Whether others may hold it too, who say the same. @default false */
  readonly shared?: boolean;
  /** Whether it waits for those who hold it, instead of giving up at once. @default false */
  readonly wait?: boolean;
}

/**
 * Does work on the repository that nobody else may do meanwhile, also in another container. The
 * kernel holds the lock, and lets it go when this process ends in whatever way.
 *
 * @param what the work, such as `backup`; told to who is refused.
 * @throws CommandError at once where somebody has it.
 */
export function withRepositoryLock<T>(
  places: Pick<Places, "backup">,
  what: string,
  work: () => Promise<T>,
): Promise<T> {
  return withLock(join(places.backup, "lock"), { what, of: "The repository" }, work);
}

/**
 * Does work in a folder that is for one at a time.
 *
 * @param of what is in use then, as the start of a sentence.
 * @throws CommandError at once where somebody has it.
 */
export async function withLock<T>(
  file: string,
  { what, of }: { readonly what: string; readonly of: string },
  work: () => Promise<T>,
): Promise<T> {
  const owner = `${file}.json`;
  const release = await hold(file);
  if (release === undefined)
    throw new CommandError(
      `${of} is in use: ${describeOwner(owner)}. Nothing was changed.`,
      "Wait until that ends, and run this command again.",
    );
  try {
    describeTo(owner, what);
    return await work();
  } finally {
    await release();
  }
}

/**
 * Does work that needs the sets as they are; new ones may be made meanwhile. Waits for who removes
 * some.
 */
export async function keepingSets<T>(
  places: Pick<Places, "backup">,
  work: () => Promise<T>,
): Promise<T> {
  const release = await hold(removalLock(places), { shared: true, wait: true });
  try {
    return await work();
  } finally {
    await release?.();
  }
}

/** Does work that removes sets, unless somebody needs them; returns whether it was done. */
export async function unlessSetsAreKept(
  places: Pick<Places, "backup">,
  work: () => Promise<void>,
): Promise<boolean> {
  const release = await hold(removalLock(places));
  if (release === undefined) return false;
  try {
    await work();
    return true;
  } finally {
    await release();
  }
}

const removalLock = ({ backup }: Pick<Places, "backup">): string => join(backup, "removal.lock");

/**
 * Locks a file.
 *
 * @returns what lets it go; undefined where somebody else has it.
 * @throws CommandError when it cannot be locked at all.
 */
async function hold(
  file: string,
  { shared = false, wait = false }: LockOptions = {},
): Promise<(() => Promise<void>) | undefined> {
  // It keeps the file locked until its standard input ends, and that ends with this process.
  const holder = spawn(
    "flock",
    [
      shared ? "--shared" : "--exclusive",
      ...(wait ? [] : ["--nonblock"]),
      `--conflict-exit-code=${TAKEN}`,
      file,
      ...["sh", "-c", "echo held; exec cat"],
    ],
    { stdio: ["pipe", "pipe", "pipe"] },
  );
  const complaint: string[] = [];
  holder.stderr.setEncoding("utf8").on("data", (text: string) => complaint.push(text));
  const ended = once(holder, "close") as Promise<[number | null]>;
  const failed = await Promise.race([
    once(holder.stdout, "data").then(() => undefined),
    ended.then(([code]) => code ?? -1),
  ]);
  if (failed === TAKEN) return undefined;
  if (failed !== undefined)
    throw new CommandError(
      `${file} cannot be locked: ${complaint.join("").trim()}`,
      "Look whether the volume is mounted writable, and whether its disk is full.",
    );
  return async () => {
    holder.stdin.end();
    await ended;
  };
}

/** Only words for others: on a full disk the work itself has more to say. */
function describeTo(file: string, what: string): void {
  try {
    writeFileSync(file, JSON.stringify({ what, since: new Date().toISOString() }));
  } catch {
    rmSync(file, { force: true });
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
