import { CommandError, DeploymentError, WrongPassphraseError } from "./errors";

/** What went wrong in an operation, besides the error that was thrown. */
export interface FailedOperation {
  /** As the start of a sentence, such as `Deployment`. */
  readonly operation: string;
  readonly stack: string;
  /** Error messages of Pulumi's own diagnostics, without colours. */
  readonly diagnostics: readonly string[];
  /** Command that does it again. */
  readonly retry: string;
  /** Where the passphrase came from, for the error about it. */
  readonly passphraseSource: string;
}

/** Turns the failure of a Pulumi command into an error that names cause and fix. */
export function explain(error: unknown, failed: FailedOperation): CommandError {
  if (error instanceof CommandError) return error;
  const text = error instanceof Error ? error.message : String(error);
  const all = [...failed.diagnostics, ...errorLines(text)];
  if (all.some((line) => /incorrect passphrase|passphrase must be set/.test(line)))
    return new WrongPassphraseError(failed.stack, failed.passphraseSource);
  const { operation, stack, retry } = failed;
  const shown = failed.diagnostics.length === 0 ? errorLines(text) : failed.diagnostics;
  return new DeploymentError(operation, stack, [...new Set(shown)], retry, { cause: error });
}

/** Pulumi's `error: …` lines from the output that the Automation API puts in its errors. */
function errorLines(output: string): string[] {
  return output
    .split("\n")
    .map((line) => /^\s*error: (.+)$/.exec(line)?.[1])
    .filter((line) => line !== undefined);
}
