import { createWriteStream, type WriteStream } from "node:fs";
import { mkdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { finished } from "node:stream/promises";
import { stripVTControlCharacters } from "node:util";
import { execa, ExecaError } from "execa";
import ora from "ora";
import type { Context } from "./context";
import { CommandError, messageOf, StepError } from "./errors";
import type { Terminal } from "./terminal";

/** How often a step says that it still runs where no terminal shows a progress line. */
const REPORT_EVERY_SECONDS = 30;
const LOG_TAIL_LINES = 40;
/** Room for the text beside the spinner and the seconds. */
const LAST_LINE_LENGTH = 60;

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
      const lines = stripVTControlCharacters(chunk.toString()).split(/[\r\n]+/);
      this.lastLine = lines.findLast((line) => line.trim() !== "")?.trim() ?? this.lastLine;
    });
    await program;
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
  const progress = showProgress(context.terminal, request.title, () => step.doing);
  try {
    const result = await work(step);
    progress.end(true);
    return result;
  } catch (error) {
    progress.end(false);
    // A program has said itself what it had to say.
    if (!(error instanceof ExecaError)) log.write(`${messageOf(error)}\n`);
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
  const short = error instanceof ExecaError ? error.shortMessage : messageOf(error);
  return short.split("\n")[0] ?? short;
}

interface Progress {
  end(succeeded: boolean): void;
}

function showProgress(terminal: Terminal, title: string, doing: () => string): Progress {
  const startedAt = performance.now();
  const seconds = (): number => Math.round((performance.now() - startedAt) / 1000);
  if (terminal.isInteractive) {
    const spinner = ora({ text: title, stream: process.stderr, discardStdin: false }).start();
    const timer = setInterval(() => {
      const detail = terminal.style("dim", doing().slice(0, LAST_LINE_LENGTH));
      spinner.text = `${title} ${seconds()} s  ${detail}`;
    }, 200);
    return {
      end: (succeeded) => {
        clearInterval(timer);
        const text = `${title} ${seconds()} s`;
        if (succeeded) spinner.succeed(text);
        else spinner.fail(text);
      },
    };
  }
  terminal.note(`${title} …`);
  const timer = setInterval(() => {
    terminal.note(`${title} … ${seconds()} s  ${doing().slice(0, LAST_LINE_LENGTH)}`.trimEnd());
  }, REPORT_EVERY_SECONDS * 1000);
  return {
    end: (succeeded) => {
      clearInterval(timer);
      terminal.note(`${title}: ${succeeded ? "done in" : "failed after"} ${seconds()} s`);
    },
  };
}
