import { ConfigError } from "../config";
import { CommandError, messageOf, StepError } from "./errors";
import { InterruptedError } from "./operation";
import { ExitCodeError } from "./exit-code";
import type { Terminal } from "./terminal";

/** By convention 128 + the number of SIGINT. */
const INTERRUPTED = 130;

/** Prints an error the way a person can act on, and returns the exit code. */
export function reportError(
  terminal: Terminal,
  error: unknown,
  env: Readonly<NodeJS.ProcessEnv>,
): number {
  if (error instanceof ExitCodeError) return error.exitCode;
  if (error instanceof StepError) terminal.note(`\n${error.logTail}\n`);
  const expected = error instanceof CommandError || error instanceof ConfigError;
  const label = terminal.style("red", "error");
  terminal.note(
    expected
      ? `${label}: ${error.message}`
      : `${label}: ${messageOf(error)}\nThis was not expected. With DEBUG=1 the command says where it happened.`,
  );
  if ((env["DEBUG"] ?? "") !== "" && error instanceof Error) terminal.note(error.stack ?? "");
  return error instanceof InterruptedError ? INTERRUPTED : 1;
}
