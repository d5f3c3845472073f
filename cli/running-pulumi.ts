import { readdir, readlink, realpath, stat } from "node:fs/promises";
import { userInfo } from "node:os";
import { basename } from "node:path";
import { commandLine, parentOf, startTime } from "./process-identity";

/** Pulumi's commands that change a stack. */
const CHANGING = /^(up|update|destroy|refresh|import)$/;

/** A process that changes a stack. */
export interface RunningPulumi {
  readonly pid: number;
  readonly user: string;
  /** Such as `Pulumi`. */
  readonly what: string;
  readonly since: Date;
}

interface Process {
  readonly pid: number;
  readonly parent: number | undefined;
  readonly program: string;
  readonly args: readonly string[];
}

/**
 * A process of this checkout that changes a stack: Pulumi itself, or a command that a Pulumi had
 * started when it was killed. Its plugins outlive it by minutes, and let what they run come to its
 * end; of which stack that is cannot be seen, so it counts for each.
 *
 * @param root folder of the project.
 * @returns undefined where there is none, or the system does not tell.
 */
export async function runningPulumi(
  root: string,
  stack: string,
): Promise<RunningPulumi | undefined> {
  const folder = await realpath(root);
  const processes = await allProcesses();
  for (const candidate of processes) {
    const what = isChanging(candidate, stack) ? "Pulumi" : leftRunning(candidate, processes);
    if (what === undefined) continue;
    const { pid } = candidate;
    const since = await startTime(pid);
    if (since === undefined || (await folderOf(pid)) !== folder) continue;
    return { pid, user: await userOf(pid), what, since };
  }
  return undefined;
}

const isChanging = ({ program, args }: Process, stack: string): boolean =>
  program === "pulumi" &&
  args.some((arg) => CHANGING.test(arg)) &&
  args.some((arg, index) => arg === "--stack" && args[index + 1] === stack);

/** What a plugin without its Pulumi still runs. */
function leftRunning(plugin: Process, processes: readonly Process[]): string | undefined {
  if (!plugin.program.startsWith("pulumi-resource-")) return undefined;
  if (processes.some(({ pid, program }) => pid === plugin.parent && program === "pulumi"))
    return undefined;
  const command = processes.find(({ parent }) => parent === plugin.pid);
  return command === undefined
    ? undefined
    : `what a Pulumi that was killed left running: ${[command.program, ...command.args].join(" ").slice(0, 60)}`;
}

async function allProcesses(): Promise<Process[]> {
  const entries = await readdir("/proc").catch(() => []);
  const pids = entries.filter((entry) => /^\d+$/.test(entry)).map(Number);
  return Promise.all(
    pids.map(async (pid) => {
      const [[program = "", ...args], parent] = await Promise.all([
        commandLine(pid),
        parentOf(pid),
      ]);
      return { pid, parent, program: basename(program), args };
    }),
  );
}

const folderOf = (pid: number): Promise<string | undefined> =>
  readlink(`/proc/${pid}/cwd`).catch(() => undefined);

/** Name of the user that a process belongs to, or the number where it is another's. */
async function userOf(pid: number): Promise<string> {
  const owner = await stat(`/proc/${pid}`).catch(() => undefined);
  const self = userInfo();
  return owner === undefined || owner.uid === self.uid ? self.username : `user ${owner.uid}`;
}
