import { readdir, readFile, rm } from "node:fs/promises";
import { hostname } from "node:os";
import { join } from "node:path";
import type { Context } from "./context";
import { codeOf, StackLockedError } from "./errors";
import type { Tools } from "./setup";
import { isStillRunning } from "./process-identity";
import { PROJECT } from "./stack";
import { removeTornAttributes } from "./state-attributes";

/** What Pulumi writes into a lock file of a file backend. */
interface LockContent {
  readonly pid: number;
  readonly username: string;
  readonly hostname: string;
  /** ISO 8601. */
  readonly timestamp: string;
}

/**
 * Removes locks that a killed run left on a stack, and what it was writing. A lock counts as left behind only when its
 * process is dead on this very host: Pulumi's own locks never expire.
 *
 * @throws StackLockedError when somebody holds the stack.
 */
export async function releaseDeadLocks(
  context: Context,
  { stateFolder }: Pick<Tools, "stateFolder">,
  stack: string,
): Promise<void> {
  if (stateFolder === undefined) return;
  const folder = join(stateFolder, ".pulumi", "locks", "organization", PROJECT, stack);
  for (const file of await lockFiles(folder)) {
    const path = join(folder, file);
    const lock = await readLock(path);
    if (lock === undefined) continue;
    const owner = `${lock.username} (process ${lock.pid} on ${lock.hostname})`;
    const since = new Date(lock.timestamp);
    const isElsewhere = lock.hostname !== hostname();
    if (isElsewhere || (await isStillRunning(lock.pid, since, "pulumi")))
      throw new StackLockedError(stack, owner, since, {
        isElsewhere,
        removal: `pulumi cancel --stack ${stack}`,
      });
    // This file only: `pulumi cancel` would also remove a lock that was taken a moment ago.
    await rm(path, { force: true });
    context.terminal.note(
      `Released the lock that ${owner} left on stack "${stack}": that process has ended.`,
    );
  }
  await removeTornAttributes(stateFolder, stack);
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
