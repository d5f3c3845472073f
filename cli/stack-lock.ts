import { randomBytes } from "node:crypto";
import { rmSync } from "node:fs";
import { link, mkdir, readdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { hostname, userInfo } from "node:os";
import { join } from "node:path";
import type { Context } from "./context";
import { codeOf, CommandError, StackLockedError } from "./errors";
import { isHandled, STOP_SIGNALS } from "./interruption";
import { isRunning, startOf } from "./process-identity";
import { runningPulumi } from "./running-pulumi";
import { ensureBackend } from "./setup/backend";
import { releaseDeadLocks } from "./state-lock";

/** What a lock file says of who holds the stack. */
interface Owner {
  /** Different for every lock that was ever taken. */
  readonly token: string;
  readonly pid: number;
  /** See {@link startOf}; absent where the system does not tell. */
  readonly start?: string;
  readonly user: string;
  readonly host: string;
  /** What the owner was asked to do, such as `./mlops deploy v1.1.0`. */
  readonly command: string;
  /** ISO 8601. */
  readonly since: string;
}

/**
 * Does work on a stack that nobody else may change meanwhile, and refuses at once where somebody
 * does. Meant to be held for the whole of a command, from before its set-up to after its clean-up:
 *
 * ```ts
 * return withStackLock(caller, request.stack, request.retry, () => deployLocked(caller, request));
 * ```
 *
 * A command that holds the stack may call another that takes it too. Beside this lock it looks at
 * Pulumi's own, which a plain `pulumi up` takes, and at what a killed owner left running. The lock
 * of an owner that has ended is taken over, by exactly one of those who want it; that of a living
 * one, or of one on another host, never.
 *
 * @param command what the user asked for, such as `./mlops deploy v1.1.0`; shown to who is refused.
 * @throws StackLockedError naming owner, host, and since when.
 */
export async function withStackLock<T>(
  context: Context,
  stack: string,
  command: string,
  work: () => Promise<T>,
): Promise<T> {
  const folder = join(context.stateDir, "locks");
  const name = `${encodeURIComponent(stack)}.json`;
  const file = join(folder, name);
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const owner: Owner = {
    token: randomBytes(8).toString("hex"),
    ...(await self()),
    user: userInfo().username,
    command,
    since: new Date().toISOString(),
  };
  const { taken, from } = await take(file, owner);
  if (!taken) {
    if (isSelf(from, owner)) return work();
    throw refusal(stack, file, from);
  }
  // Whatever way the process ends, short of being killed.
  const remove = (): void => {
    rmSync(file, { force: true });
  };
  const onSignal = (signal: NodeJS.Signals): void => {
    if (!isHandled(signal)) process.exit(130);
  };
  process.on("exit", remove);
  for (const signal of STOP_SIGNALS) process.on(signal, onSignal);
  try {
    await refuseRunningPulumi(context, stack, from);
    if (from !== undefined)
      context.terminal.note(
        `Released the lock that ${describe(from)} left on stack "${stack}": that process has ended.`,
      );
    await removeLitter(folder, name);
    await releaseDeadLocks(context, await ensureBackend(context), stack);
    return await work();
  } finally {
    remove();
    process.off("exit", remove);
    for (const signal of STOP_SIGNALS) process.off(signal, onSignal);
  }
}

/** How an attempt to take a lock ended. */
type Attempt =
  /** It is taken, perhaps from a dead owner. */
  | { readonly taken: true; readonly from?: Owner }
  /** Somebody else has it. */
  | { readonly taken: false; readonly from: Owner };

/**
 * Takes a lock if it is free or its owner dead. A dead owner's lock is only ever replaced by who
 * holds a second lock, named after the dead one's token; after taking that it looks once more, so
 * that nobody replaces a lock that has changed hands since it was read.
 */
async function take(file: string, owner: Owner): Promise<Attempt> {
  const own = `${file}.${owner.token}`;
  await writeFile(own, JSON.stringify(owner), { mode: 0o600, flush: true });
  try {
    for (;;) {
      if (await linkIfFree(own, file)) return { taken: true };
      const present = await readOwner(file);
      // Released in the meantime.
      if (present === undefined) continue;
      if (!(await isDead(present))) return { taken: false, from: present };
      const guard = `${file}.${present.token}.takeover`;
      const { taken, from } = await take(guard, owner);
      if (!taken) return { taken: false, from };
      try {
        if ((await readOwner(file))?.token !== present.token) continue;
        await rename(own, file);
        return { taken: true, from: present };
      } finally {
        await rm(guard, { force: true });
      }
    }
  } finally {
    await rm(own, { force: true });
  }
}

/** Makes the lock file out of one that is complete; false where there is one already. */
async function linkIfFree(own: string, file: string): Promise<boolean> {
  try {
    await link(own, file);
    return true;
  } catch (error) {
    if (codeOf(error) === "EEXIST") return false;
    throw error;
  }
}

async function readOwner(file: string): Promise<Owner | undefined> {
  let text: string;
  try {
    text = await readFile(file, "utf8");
  } catch (error) {
    if (codeOf(error) === "ENOENT") return undefined;
    throw error;
  }
  try {
    const owner = JSON.parse(text) as Partial<Owner>;
    if (typeof owner.token === "string" && typeof owner.pid === "number") return owner as Owner;
  } catch {
    // Said below.
  }
  throw new CommandError(
    `The lock ${file} cannot be read, so nobody knows who holds the stack; nothing was changed.`,
    `If you are certain that nobody deploys it: rm ${file}`,
  );
}

/** Only what this host can see to have ended; of another host's processes it knows nothing. */
async function isDead({ host, pid, start }: Owner): Promise<boolean> {
  return host === hostname() && !(await isRunning(pid, start));
}

async function self(): Promise<Pick<Owner, "pid" | "start" | "host">> {
  const start = await startOf(process.pid);
  return {
    pid: process.pid,
    ...(start === undefined ? {} : { start }),
    host: hostname(),
  };
}

const isSelf = (owner: Owner, self: Owner): boolean =>
  owner.host === self.host && owner.pid === self.pid && owner.start === self.start;

const describe = ({ user, command, pid, host }: Owner): string =>
  `${user} (${command}, process ${pid} on ${host})`;

function refusal(stack: string, file: string, owner: Owner): StackLockedError {
  return new StackLockedError(stack, describe(owner), new Date(owner.since), {
    isElsewhere: owner.host !== hostname(),
    removal: `rm ${file}`,
  });
}

/** Removes what killed processes left of their attempts; only for who holds the lock itself. */
async function removeLitter(folder: string, name: string): Promise<void> {
  for (const entry of await readdir(folder)) {
    if (!entry.startsWith(`${name}.`)) continue;
    const file = join(folder, entry);
    // What cannot be read is being written.
    const owner = await readOwner(file).catch(() => undefined);
    if (owner !== undefined && (await isDead(owner))) await rm(file, { force: true });
  }
}

/**
 * Refuses while a Pulumi works on the stack that has not come to taking its own lock yet, or one
 * that was killed has left a command running.
 *
 * @param dead the owner whose lock was taken over.
 */
async function refuseRunningPulumi(
  context: Context,
  stack: string,
  dead: Owner | undefined,
): Promise<void> {
  const running = await runningPulumi(context.root, stack);
  if (running === undefined) return;
  const { user, what, pid, since } = running;
  const left = dead === undefined ? "" : ` that outlives the command of ${describe(dead)},`;
  const owner = `${user} (${what}, process ${pid} on ${hostname()})${left}`;
  throw new StackLockedError(stack, owner, since, { isElsewhere: false, removal: `kill ${pid}` });
}
