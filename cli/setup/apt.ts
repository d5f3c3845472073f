import { CommandError } from "../errors";
import type { Step } from "../step";
import { becomeRoot } from "./privilege";
import { runProgram } from "../exec";

/** Wait for another apt that runs, rather than fail. */
const APT_OPTIONS = ["-o", "DPkg::Lock::Timeout=300", "-o", "Acquire::Retries=2"];

/**
 * Installs Debian packages. Safe to be killed: dpkg's state is put right first.
 *
 * @param packages those that must be there.
 * @param optional those that some Debian releases have as packages of their own, others inside the
 *   former. @default none
 */
export async function aptInstall(
  step: Step,
  packages: readonly string[],
  optional: readonly string[] = [],
): Promise<void> {
  const found = await runProgram("apt-get", ["--version"], { reject: false });
  if (found.failed)
    throw new CommandError(
      `${packages.join(", ")} must be installed, and this system has no apt-get.`,
      "Install it with the system's own package manager, then run the command again.",
    );
  const names = packages.join(" ");
  const root = await becomeRoot(`Installing ${names}`, `apt-get install ${names}`);
  const apt = (...line: string[]): Promise<void> =>
    step.run(...root.line("env", "DEBIAN_FRONTEND=noninteractive", ...line));
  // Does nothing unless an earlier installation was interrupted.
  await apt("dpkg", "--configure", "-a");
  await apt("apt-get", ...APT_OPTIONS, "update");
  const available = [];
  for (const name of optional) if (await isAvailable(name)) available.push(name);
  await apt(
    "apt-get",
    ...APT_OPTIONS,
    "install",
    "--yes",
    "--no-install-recommends",
    ...packages,
    ...available,
  );
}

async function isAvailable(name: string): Promise<boolean> {
  const { stdout } = await runProgram("apt-cache", ["policy", name], { reject: false });
  const candidate = /Candidate: (\S+)/.exec(stdout)?.[1];
  return candidate !== undefined && candidate !== "(none)";
}
