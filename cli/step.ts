import { createWriteStream, type WriteStream } from "node:fs";
import { mkdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { finished } from "node:stream/promises";
import { stripVTControlCharacters } from "node:util";
import type { Context } from "./context";
import { CommandError, messageOf, StepError } from "./errors";
import { isProgramFailure } from "./exec";
import { ProgressLine } from "./progress-line";

const LOG_TAIL_LINES = 40;
/** So much of what the step does now has room beside its title. */
const SHOWN_LENGTH = 60;

/** What is about to be done. */
export interface StepRequest {
  /** Short name, used for the log file, such as `toolchain`. */
  readonly name: string;
  /** What a person reads, such as `Building the Pulumi toolchain`. */
  readonly title: string;
  /** Command that does it again. */
  readonly retry: string;
}

/** Options of {@link Step.run}. */
export interface RunOptions {
  /** @default the project folder */
  readonly cwd?: string;
  /** Added to the caller's environment. @default none */
  readonly env?: Readonly<Record<string, string>>;
  /** Keeps on display what the step said: the output goes to the log only. @default false */
  readonly quiet?: boolean;
  /** Milliseconds after which the program is stopped and the step fails. @default no limit */
  readonly timeout?: number;
}

/** A long step while it runs: what it says and logs. */
export class Step {
  private lastLine = "";

  constructor(
    private readonly context: Context,
    private readonly log: WriteStream,
  ) {}

  /** Adds a line to the log and shows it as what the step does now. */
  say(text: string): void {
    this.log.write(`${text}\n`);
    this.lastLine = text;
  }

  /** Adds a line to the log only. */
  record(text: string): void {
    this.log.write(`${text}\n`);
  }

  /** What the step does now, "" when it has said nothing. */
  get doing(): string {
    return this.lastLine;
  }

  /** Runs a program to its end, with its output in the log. Throws when it fails. */
  async run(command: string, args: readonly string[], options: RunOptions = {}): Promise<void> {
    this.log.write(`$ ${[command, ...args].join(" ")}\n`);
    const { execa } = await import("execa");
    const program = execa(command, args, {
      cwd: options.cwd ?? this.context.root,
      env: { ...this.context.env, ...options.env },
      extendEnv: false,
      stdin: "ignore",
      all: true,
      buffer: false,
      ...(options.timeout === undefined ? {} : { timeout: options.timeout }),
    });
    program.all.on("data", (chunk: Buffer) => {
      this.log.write(chunk);
      if (options.quiet === true) return;
      const lines = stripVTControlCharacters(chunk.toString()).split(/[\r\n]+/);
      this.lastLine = lines.findLast((line) => line.trim() !== "")?.trim() ?? this.lastLine;
    });
    const output = finished(program.all);
    try {
      await program;
    } finally {
      // The end of what it said may come after its exit.
      await output.catch(() => undefined);
    }
  }
}

/**
 * Runs a long step: shows what it does and for how long, keeps its output in a log file, and on
 * failure prints the end of the log with the command to retry.
 *
 * @throws StepError, or the CommandError that the work threw.
 */
export async function runStep<T>(
  context: Context,
  request: StepRequest,
  work: (step: Step) => Promise<T>,
): Promise<T> {
  const logFile = join(context.stateDir, "logs", `${request.name}.log`);
  await mkdir(join(context.stateDir, "logs"), { recursive: true, mode: 0o700 });
  const log = createWriteStream(logFile);
  const step = new Step(context, log);
  const progress = await ProgressLine.start(context.terminal, request.title, () =>
    step.doing.slice(0, SHOWN_LENGTH),
  );
  try {
    const result = await work(step);
    progress.finish(true);
    return result;
  } catch (error) {
    progress.finish(false);
    // A program has said itself what it had to say.
    if (!isProgramFailure(error)) log.write(`${messageOf(error)}\n`);
    if (error instanceof CommandError) throw error;
    log.end();
    await finished(log);
    throw new StepError(
      request.title,
      logFile,
      await tail(logFile),
      reasonOf(error),
      request.retry,
      { cause: error },
    );
  } finally {
    log.end();
  }
}

/** The last lines of a file. */
async function tail(file: string): Promise<string> {
  const lines = (await readFile(file, "utf8")).trimEnd().split("\n");
  return lines.slice(-LOG_TAIL_LINES).join("\n");
}

/** One line: execa puts the command and its exit code there. */
function reasonOf(error: unknown): string {
  const short = isProgramFailure(error) ? error.shortMessage : messageOf(error);
  return short.split("\n")[0] ?? short;
}
