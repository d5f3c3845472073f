import { readdir, readFile, rm } from "node:fs/promises";
import { hostname } from "node:os";
import { join } from "node:path";
import type { Context } from "./context";
import { codeOf, StackLockedError } from "./errors";
import type { Tools } from "./setup";
import { PROJECT } from "./stack";

/** What Pulumi writes into a lock file of a file backend. */
interface LockContent {
  readonly pid: number;
  readonly username: string;
  readonly hostname: string;
  /** ISO 8601. */
  readonly timestamp: string;
}

/**
 * Removes locks that a killed run left on a stack. A lock counts as left behind only when its
 * process is dead on this very host: Pulumi's own locks never expire.
 *
 * @throws StackLockedError when somebody holds the stack.
 */
export async function releaseDeadLocks(
  context: Context,
  tools: Tools,
  stack: string,
): Promise<void> {
  if (tools.stateFolder === undefined) return;
  const folder = join(tools.stateFolder, ".pulumi", "locks", "organization", PROJECT, stack);
  for (const file of await lockFiles(folder)) {
    const path = join(folder, file);
    const lock = await readLock(path);
    if (lock === undefined) continue;
    const owner = `${lock.username} (process ${lock.pid} on ${lock.hostname})`;
    const since = new Date(lock.timestamp);
    if (lock.hostname !== hostname() || (await isOwnerAlive(lock.pid, since)))
      throw new StackLockedError(stack, owner, since);
    // This file only: `pulumi cancel` would also remove a lock that was taken a moment ago.
    await rm(path, { force: true });
    context.terminal.note(
      `Released the lock that ${owner} left on stack "${stack}": that process has ended.`,
    );
  }
}

async function lockFiles(folder: string): Promise<string[]> {
  try {
    const files = await readdir(folder);
    return files.filter((file) => file.endsWith(".json"));
  } catch (error) {
    if (codeOf(error) === "ENOENT") return [];
    throw error;
  }
}

/** The lock, or undefined when its owner released it in the meantime. */
async function readLock(path: string): Promise<LockContent | undefined> {
  try {
    return JSON.parse(await readFile(path, "utf8")) as LockContent;
  } catch (error) {
    if (codeOf(error) === "ENOENT") return undefined;
    throw error;
  }
}

/** Whether the process lives; one that started after the lock only has the same number. */
async function isOwnerAlive(pid: number, since: Date): Promise<boolean> {
  try {
    process.kill(pid, 0);
  } catch (error) {
    // EPERM: it is there and belongs to someone else.
    if (codeOf(error) === "ESRCH") return false;
  }
  const startedAt = await processStart(pid);
  return startedAt === undefined || startedAt.getTime() <= since.getTime() + 1000;
}

/** Start of a process by Linux's /proc, or undefined where that is not to be had. */
async function processStart(pid: number): Promise<Date | undefined> {
  try {
    const [stat, system] = await Promise.all([
      readFile(`/proc/${pid}/stat`, "utf8"),
      readFile("/proc/stat", "utf8"),
    ]);
    // Field 22 of proc_pid_stat(5), counted after the name, which may contain anything.
    const ticks = Number(stat.slice(stat.lastIndexOf(")") + 2).split(" ")[19]);
    const bootSeconds = Number(/^btime (\d+)$/m.exec(system)?.[1]);
    const ticksPerSecond = 100;
    return new Date((bootSeconds + ticks / ticksPerSecond) * 1000);
  } catch {
    return undefined;
  }
}
