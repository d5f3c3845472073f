/**
 * Runs a program to its end.
 *
 * @throws what {@link isProgramFailure} knows, unless `reject` is false.
 */
export async function runProgram(
  program: string,
  args: readonly string[],
  options: ProgramOptions = {},
): Promise<Ended> {
  // Loaded on use: many commands start no program.
  const { execa } = await import("execa");
  const { output = "capture", signal, input, ...rest } = options;
  const { failed, exitCode, stdout, stderr, shortMessage } = await execa(program, args, {
    ...rest,
    ...(input === undefined ? { stdin: "ignore" } : { input }),
    ...(output === "inherit" ? { stdout: "inherit", stderr: "inherit" } : {}),
    ...(signal === undefined ? {} : { cancelSignal: signal }),
  });
  return { failed, exitCode, stdout: stdout ?? "", stderr: stderr ?? "", message: shortMessage };
}

/** Options of {@link runProgram}. */
export interface ProgramOptions {
  /** @default this process's */
  readonly cwd?: string;
  /** Added to this process's environment. @default none */
  readonly env?: Readonly<NodeJS.ProcessEnv>;
  /** Whether a failure throws. @default true */
  readonly reject?: boolean;
  /** Where its output goes: to the caller, or where this process's goes. @default "capture" */
  readonly output?: "capture" | "inherit";
  /** What it reads from its standard input. @default nothing */
  readonly input?: string;
  /** Stops the program. @default none */
  readonly signal?: AbortSignal;
}

/** How a program ended. */
export interface Ended {
  /** Whether it could not be started, or its exit code was not 0. */
  readonly failed: boolean;
  readonly exitCode: number | undefined;
  /** Without the last line break; "" where it was not captured. */
  readonly stdout: string;
  /** Likewise. */
  readonly stderr: string;
  /** How it failed, in one line. */
  readonly message: string | undefined;
}

/** Whether an error is that of a program that failed, with a line that names it and its exit code. */
export function isProgramFailure(
  error: unknown,
): error is Error & { readonly shortMessage: string } {
  return (
    error instanceof Error && "shortMessage" in error && typeof error.shortMessage === "string"
  );
}
