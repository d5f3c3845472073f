import { readFile } from "node:fs/promises";
import { codeOf } from "./errors";

/**
 * Which run of a program a process is, beyond its number, which the system gives out again: the
 * same for as long as the process lives, and for no other.
 *
 * @returns undefined where the system does not tell, or there is no such process.
 */
export async function startOf(pid: number): Promise<string | undefined> {
  const [stat, boot] = await Promise.all([
    readStat(pid),
    readFile("/proc/sys/kernel/random/boot_id", "utf8").catch(() => undefined),
  ]);
  // Not a time of day, which moves when the clock is set.
  return stat === undefined || boot === undefined ? undefined : `${boot.trim()}:${stat.startTicks}`;
}

/**
 * Whether a process still runs.
 *
 * @param start what {@link startOf} said of it, or undefined where it was not known.
 */
export async function isRunning(pid: number, start: string | undefined): Promise<boolean> {
  if (!(await hasProcess(pid))) return false;
  const present = await startOf(pid);
  return start === undefined || present === undefined || start === present;
}

/**
 * Whether a process that is known by its number, a time at which it ran, and the program it ran
 * still runs. A later one with the same number is told apart unless it runs the same program.
 *
 * @param program file name of the program, without folder.
 */
export async function isStillRunning(pid: number, since: Date, program: string): Promise<boolean> {
  if (!(await hasProcess(pid))) return false;
  const [startedAt, [name]] = await Promise.all([startTime(pid), commandLine(pid)]);
  if (startedAt === undefined || startedAt.getTime() <= since.getTime() + 1000) return true;
  // Times alone would take a living process for a later one once the clock had been set forward.
  return name !== undefined && name.slice(name.lastIndexOf("/") + 1) === program;
}

/** Program and arguments of a process; empty where the system does not tell. */
export async function commandLine(pid: number): Promise<readonly string[]> {
  const text = await readFile(`/proc/${pid}/cmdline`, "utf8").catch(() => "");
  return text.split("\0").slice(0, -1);
}

/** Whether there is such a process; one that has ended and waits to be collected does not count. */
async function hasProcess(pid: number): Promise<boolean> {
  try {
    process.kill(pid, 0);
  } catch (error) {
    // EPERM: it is there and belongs to someone else.
    if (codeOf(error) === "ESRCH") return false;
  }
  const stat = await readStat(pid);
  return stat === undefined || !/[ZX]/.test(stat.state);
}

/** Start of a process by the clock, or undefined where that is not to be had. */
export async function startTime(pid: number): Promise<Date | undefined> {
  const [stat, system] = await Promise.all([
    readStat(pid),
    readFile("/proc/stat", "utf8").catch(() => ""),
  ]);
  const bootSeconds = /^btime (\d+)$/m.exec(system)?.[1];
  if (stat === undefined || bootSeconds === undefined) return undefined;
  const ticksPerSecond = 100;
  return new Date((Number(bootSeconds) + stat.startTicks / ticksPerSecond) * 1000);
}

/** Process that started a process; 1 once that has ended. Undefined where it is not to be had. */
export async function parentOf(pid: number): Promise<number | undefined> {
  return (await readStat(pid))?.parent;
}

interface Stat {
  readonly state: string;
  readonly parent: number;
  readonly startTicks: number;
}

/** What Linux says of a process, see proc_pid_stat(5). */
async function readStat(pid: number): Promise<Stat | undefined> {
  const text = await readFile(`/proc/${pid}/stat`, "utf8").catch(() => undefined);
  if (text === undefined) return undefined;
  // Counted after the name, which may contain anything: fields 3, 4 and 22.
  const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
  const [state = "", parent = ""] = fields;
  return { state, parent: Number(parent), startTicks: Number(fields[19]) };
}
