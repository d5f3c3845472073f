import { PrivilegeError } from "../errors";
import { runProgram } from "../exec";

/** Runs a program with arguments as root. */
export interface Root {
  /** Program to start and its arguments, for a line that needs root. */
  readonly line: (program: string, ...args: string[]) => readonly [string, string[]];
}

/**
 * How to run something as root: as it is for root, by `sudo -n` where that asks no password.
 *
 * @param purpose start of the error's sentence, such as `Installing docker.io`.
 * @param command what a person would run instead.
 * @throws PrivilegeError
 */
export async function becomeRoot(purpose: string, command: string): Promise<Root> {
  if (process.getuid?.() === 0) return { line: (program, ...args) => [program, args] };
  const probe = await runProgram("sudo", ["-n", "true"], { reject: false });
  if (probe.failed) throw new PrivilegeError(purpose, `sudo ${command}`);
  return { line: (program, ...args) => ["sudo", ["-n", program, ...args]] };
}
