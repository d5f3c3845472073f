import { existsSync } from "node:fs";
import { statfs } from "node:fs/promises";
import { dirname } from "node:path";
import { releaseReference } from "../components/release-image";
import type { Config } from "../config";
import type { Context } from "./context";
import { dockerAddress } from "./docker";
import { requireRecentBackup } from "./backup-age";
import { codeOf, CommandError, DiskFullError } from "./errors";
import { bytesOfImages, inspectImage, requireImages } from "./images";
import { requirePorts } from "./ports";
import { holdRelease } from "./release/hold";
import { ensureSameImage, refuseOtherContent, type ReleaseImage } from "./release/image";
import type { Tools } from "./setup";

const GIB = 2 ** 30;
/** Measured: the seven images with their build caches take 6 GiB, the toolchain and its caches 4. */
const FIRST_DEPLOYMENT_BYTES = 8 * GIB;
/** Room for logs, metrics and the writes of a running stack. */
const NEXT_DEPLOYMENT_BYTES = GIB;

/**
 * Looks for everything that would stop a deployment half-way. Changes nothing but this: images that
 * are named and missing are pulled, and the release's image is held, so that no other stack of this
 * host prunes it meanwhile.
 *
 * @param releases the stack's ledger, newest first.
 * @throws BackupAgeError, DiskFullError, PortTakenError, ImageNotFoundError, RegistryError, and
 *   CommandError where the TAG stood for another image before.
 */
export async function checkBeforeDeployment(
  context: Context,
  tools: Tools,
  config: Config,
  releases: readonly ReleaseImage[],
  retry: string,
): Promise<void> {
  await requireRecentBackup(context, tools, config, new Date(), retry);
  await requireDisk(context, tools, config);
  await requirePorts(tools.docker, config);
  const { tag, registry } = config.release;
  const release = tag === "" ? undefined : { tag, reference: releaseReference(registry, tag) };
  if (release !== undefined) await requireSameImage(context, tools, release, releases, retry);
  await requireImages(context, tools, config, retry);
  if (release !== undefined) {
    const { Id } = await tools.docker.getImage(release.reference).inspect();
    await holdRelease(tools.docker, config.stack, tag, Id);
  }
  await keepWayBack(context, tools, config, releases, retry);
}

/** A release that this stack ran before is the same image again, or none. */
async function requireSameImage(
  context: Context,
  tools: Tools,
  { tag, reference }: { readonly tag: string; readonly reference: string },
  releases: readonly ReleaseImage[],
  retry: string,
): Promise<void> {
  const known = releases.find((release) => release.tag === tag);
  if (known === undefined) return;
  const local = await inspectImage(tools.docker, reference);
  if (local === undefined) await ensureSameImage(context, tools, reference, known.image, retry);
  else refuseOtherContent(releases, tag, local.Id);
}

/**
 * Looks whether a deployment that fails could go back to the release that is live, and fetches its
 * image where it is missing and can be had. Where it cannot, that is said and not refused: nothing
 * that could be done instead would bring it back.
 *
 * @param releases the stack's ledger, newest first.
 */
export async function keepWayBack(
  context: Context,
  tools: Tools,
  config: Config,
  releases: readonly ReleaseImage[],
  retry: string,
): Promise<void> {
  const live = releases.find(({ passed }) => passed);
  if (live === undefined || (await inspectImage(tools.docker, live.image)) !== undefined) return;
  const reference = releaseReference(config.release.registry, live.tag);
  try {
    await ensureSameImage(context, tools, reference, live.image, retry);
  } catch (error) {
    if (!(error instanceof CommandError)) throw error;
    context.terminal.note(
      `There is no way back to ${live.tag}, the last release that passed: its image is lost. ${error.problem}`,
    );
  }
}

async function requireDisk(context: Context, tools: Tools, config: Config): Promise<void> {
  const { docker } = tools;
  await requireFreeSpace(context.stateDir, NEXT_DEPLOYMENT_BYTES);
  // The data of a remote daemon is on its own disk, which cannot be looked at from here.
  if (!dockerAddress(context.env).startsWith("unix:")) return;
  const [info, images, bytes] = await Promise.all([
    docker.info() as Promise<{ readonly DockerRootDir: string }>,
    docker.listImages({ filters: { reference: ["mlops-*"] } }),
    bytesOfImages(context, tools, config),
  ]);
  const needed = images.length === 0 ? FIRST_DEPLOYMENT_BYTES : NEXT_DEPLOYMENT_BYTES;
  await requireFreeSpace(info.DockerRootDir, Math.max(needed, 2 * bytes));
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
