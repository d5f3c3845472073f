import { existsSync } from "node:fs";
import { statfs } from "node:fs/promises";
import { dirname } from "node:path";
import type Docker from "dockerode";
import type { Config } from "../config";
import type { Context } from "./context";
import { dockerAddress } from "./docker";
import { codeOf, DiskFullError } from "./errors";
import { requireImages } from "./images";
import { requirePorts } from "./ports";
import type { Tools } from "./setup";

const GIB = 2 ** 30;
/** Measured: the seven images with their build caches take 6 GiB, the toolchain and its caches 4. */
const FIRST_DEPLOYMENT_BYTES = 8 * GIB;
/** Room for logs, metrics and the writes of a running stack. */
const NEXT_DEPLOYMENT_BYTES = GIB;

/**
 * Looks for everything that would stop a deployment half-way, and changes nothing.
 *
 * @throws DiskFullError, PortTakenError, ImageNotFoundError
 */
export async function checkBeforeDeployment(
  context: Context,
  tools: Tools,
  config: Config,
  retry: string,
): Promise<void> {
  const { docker } = tools;
  await requireDisk(context, docker);
  await requirePorts(docker, config);
  await requireImages(context, tools, config, retry);
}

async function requireDisk(context: Context, docker: Docker): Promise<void> {
  await requireFreeSpace(context.stateDir, NEXT_DEPLOYMENT_BYTES);
  // The data of a remote daemon is on its own disk, which cannot be looked at from here.
  if (!dockerAddress(context.env).startsWith("unix:")) return;
  const [info, images] = await Promise.all([
    docker.info() as Promise<{ readonly DockerRootDir: string }>,
    docker.listImages({ filters: { reference: ["mlops-*"] } }),
  ]);
  const needed = images.length === 0 ? FIRST_DEPLOYMENT_BYTES : NEXT_DEPLOYMENT_BYTES;
  await requireFreeSpace(info.DockerRootDir, needed);
}

/**
 * Checks the room on the disk of a folder, which need not exist yet.
 *
 * @throws DiskFullError
 */
export async function requireFreeSpace(folder: string, neededBytes: number): Promise<void> {
  let existing = folder;
  while (!existsSync(existing)) existing = dirname(existing);
  try {
    const { bavail, bsize } = await statfs(existing);
    if (bavail * bsize < neededBytes) throw new DiskFullError(folder, bavail * bsize, neededBytes);
  } catch (error) {
    // Docker's folder is closed to ordinary users; its disk then shows when it is written to.
    if (codeOf(error) !== "EACCES") throw error;
  }
}
