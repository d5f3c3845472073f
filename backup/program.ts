import { createInterface } from "node:readline";
import { execa } from "execa";
import { POSTGRES_USER } from "./settings";

/** How many lines of a program's complaints are kept. */
const KEPT_LINES = 20;

/** A program failed; the message has the end of what it complained of. */
export class ProgramError extends Error {
  constructor(
    readonly program: string,
    readonly exitCode: number | undefined,
    /** The end of its standard error; of its standard output where that is empty. */
    readonly complaint: string,
  ) {
    super(
      `${program} ended with ${exitCode === undefined ? "a signal" : `exit code ${exitCode}`}: ${complaint}`,
    );
    this.name = "ProgramError";
  }
}

/** Options of {@link runTool}. */
export interface ToolOptions {
  /** Whether it runs as the user of Postgres instead of this process's. @default false */
  readonly asPostgres?: boolean;
  /** Folder that it runs in. @default / */
  readonly cwd?: string;
  /** The whole environment beside PATH, HOME and LANG. @default none */
  readonly env?: Readonly<Record<string, string>>;
  /** What it reads from its standard input. @default nothing */
  readonly input?: string;
  /** Gets each line of standard output as it comes; then nothing is returned. @default none */
  readonly onLine?: (line: string) => void;
  /** Whether what it prints is not looked at. @default false */
  readonly discard?: boolean;
  /** Exit codes that are no failure. @default only 0 */
  readonly accepted?: readonly number[];
}

/** How a program ended that did not fail. */
export interface ToolResult {
  readonly exitCode: number;
  /** "" where `onLine` got it. */
  readonly stdout: string;
}

/**
 * Runs a program to its end.
 *
 * @throws ProgramError
 */
export async function runTool(
  program: string,
  args: readonly string[],
  options: ToolOptions = {},
): Promise<ToolResult> {
  const { asPostgres = false, cwd = "/", env = {}, input } = options;
  const { onLine, discard = false, accepted = [] } = options;
  const kept: string[] = [];
  const child = execa(program, args, {
    ...(asPostgres ? POSTGRES_USER : {}),
    cwd,
    env: {
      PATH: process.env["PATH"] ?? "",
      LANG: "C.UTF-8",
      HOME: "/tmp",
      ...env,
    },
    extendEnv: false,
    reject: false,
    ...(input === undefined ? { stdin: "ignore" as const } : { input }),
    ...(discard ? { stdout: "ignore" as const } : {}),
    buffer: { stdout: onLine === undefined, stderr: false },
  });
  const keep = (line: string): void => {
    kept.push(line);
    if (kept.length > KEPT_LINES) kept.shift();
  };
  const streams = [followLines(child.stderr, keep)];
  if (onLine !== undefined) streams.push(followLines(child.stdout, onLine));
  const [{ exitCode, stdout, shortMessage }] = await Promise.all([child, ...streams]);
  if (exitCode === 0 || (exitCode !== undefined && accepted.includes(exitCode)))
    return { exitCode, stdout: onLine === undefined ? (stdout ?? "") : "" };
  const said = kept.join("\n").trim();
  throw new ProgramError(program, exitCode, said === "" ? (shortMessage ?? "") : said);
}

async function followLines(
  stream: NodeJS.ReadableStream | null,
  onLine: (line: string) => void,
): Promise<void> {
  if (stream === null) return;
  for await (const line of createInterface({ input: stream })) onLine(line);
}
