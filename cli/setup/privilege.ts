import { execa } from "execa";
import { PrivilegeError } from "../errors";

/**
 * How to run something as root: nothing in front for root, `sudo -n` where it asks no password.
 *
 * @param purpose start of the error's sentence, such as `Installing docker.io`.
 * @param command what a person would run instead.
 * @throws PrivilegeError
 */
export async function rootPrefix(purpose: string, command: string): Promise<readonly string[]> {
  if (process.getuid?.() === 0) return [];
  const probe = await execa("sudo", ["-n", "true"], { reject: false, stdin: "ignore" });
  if (probe.failed) throw new PrivilegeError(purpose, `sudo ${command}`);
  return ["sudo", "-n"];
}
