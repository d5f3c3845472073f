import { mkdir, readdir, rename, rm } from "node:fs/promises";
import { join } from "node:path";
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

/**
 * Unpacks the files of a Debian package into a folder without installing it: nothing of the system
 * changes, and no service starts. Safe to be killed: the folder is there when it is complete.
 *
 * @param folder where the package's `/usr` and so on are to be; its parent must exist.
 */
export async function aptUnpack(step: Step, name: string, folder: string): Promise<void> {
  const partial = `${folder}.${process.pid}.partial`;
  await mkdir(partial);
  try {
    const download = (): Promise<void> =>
      step.run("apt-get", [...APT_OPTIONS, "download", name], { cwd: partial });
    await download().catch(async () => {
      // The list of packages may be old, or not there yet.
      const root = await becomeRoot(`Looking for ${name}`, "apt-get update");
      await step.run(...root.line("apt-get", ...APT_OPTIONS, "update"));
      await download();
    });
    const file = (await readdir(partial)).find((entry) => entry.endsWith(".deb"));
    if (file === undefined) throw new Error(`apt-get left no package ${name} in ${partial}`);
    await step.run("dpkg-deb", ["--extract", join(partial, file), partial]);
    await rm(join(partial, file));
    await rename(partial, folder);
  } finally {
    await rm(partial, { recursive: true, force: true });
  }
}

async function isAvailable(name: string): Promise<boolean> {
  const { stdout } = await runProgram("apt-cache", ["policy", name], { reject: false });
  const candidate = /Candidate: (\S+)/.exec(stdout)?.[1];
  return candidate !== undefined && candidate !== "(none)";
}
