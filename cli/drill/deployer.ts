import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { readdir, readFile } from "node:fs/promises";
import { createInterface } from "node:readline";
import { stripVTControlCharacters } from "node:util";
import { now } from "../load/requester";

/** A line that a command printed, and when. */
export interface PrintedLine {
  readonly text: string;
  /** Milliseconds since the epoch, of the clock of {@link now}. */
  readonly at: number;
}

/** A command to run in a session of its own. */
export interface DeployerRequest {
  readonly program: string;
  readonly args: readonly string[];
  readonly cwd: string;
  readonly env: NodeJS.ProcessEnv;
  /** Called for every line that it prints, as it comes. @default nothing */
  readonly onLine?: (line: PrintedLine) => void;
}

/** How a command ended. */
export interface Deployed {
  readonly startedAt: number;
  readonly endedAt: number;
  /** Null when a signal ended it. */
  readonly exitCode: number | null;
  /** What it printed to standard output and standard error, in the order in which it came. */
  readonly lines: readonly PrintedLine[];
}

/**
 * A deployment in a session of its own: ^C does not reach it by itself, and everything that it
 * starts, also in process groups of their own as Pulumi's plugins are, can be killed together.
 */
export class Deployer {
  readonly startedAt = now();
  /** Resolves when it has ended, by itself or not. */
  readonly ended: Promise<Deployed>;
  private readonly lines: PrintedLine[] = [];
  private readonly child: ChildProcess;

  constructor({ program, args, cwd, env, onLine }: DeployerRequest) {
    // A session leader: its process ID is the session's.
    const child = spawn(program, args, {
      cwd,
      env,
      stdio: ["ignore", "pipe", "pipe"],
      detached: true,
    });
    this.child = child;
    for (const stream of [child.stdout, child.stderr])
      createInterface({ input: stream }).on("line", (text) => {
        const line = { text: stripVTControlCharacters(text), at: now() };
        this.lines.push(line);
        onLine?.(line);
      });
    this.ended = this.wait();
  }

  /** Kills it and everything that it started, at once. */
  async kill(): Promise<void> {
    const { pid } = this.child;
    if (pid === undefined) return;
    // Again until nothing is left: a process may have started another one while the list was read.
    for (;;) {
      const members = await sessionMembers(pid);
      if (members.length === 0) return;
      for (const member of members) signal(member, "SIGKILL");
    }
  }

  /** Asks it to end in good order. */
  interrupt(): void {
    this.child.kill("SIGTERM");
  }

  private async wait(): Promise<Deployed> {
    const [exitCode] = (await once(this.child, "close")) as [number | null];
    return { startedAt: this.startedAt, endedAt: now(), exitCode, lines: this.lines };
  }
}

/** Processes of a session that live; those that ended and wait to be collected do not count. */
async function sessionMembers(session: number): Promise<number[]> {
  const processes = (await readdir("/proc")).filter((name) => /^\d+$/.test(name));
  const members: number[] = [];
  for (const pid of processes) {
    const stat = await readFile(`/proc/${pid}/stat`, "utf8").catch(() => "");
    // Fields 3 and 6 of proc_pid_stat(5), counted after the name, which may contain anything.
    const [state, , , id] = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    if (Number(id) === session && state !== "Z") members.push(Number(pid));
  }
  return members;
}

function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name);
  } catch {
    // It has ended meanwhile.
  }
}
