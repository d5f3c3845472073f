import type Docker from "dockerode";
import type { ImageInfo } from "dockerode";
import { CONTENT_LABEL } from "../../components/image-build";
import { messageOf, statusOf } from "../errors";
import { inspectImage } from "../images";
import { earlierReleases } from "./history";
import { heldReleases, isHold } from "./hold";
import type { ReleaseImage } from "./image";

/** A younger image without a name may belong to a build that has not named it yet. */
const LEFTOVER_AGE_SECONDS = 3600;

/** A name or an image that is removed from the Docker host. */
export interface Removal {
  /** Name, or the ID of an image without one. */
  readonly reference: string;
  /** Image ID, `sha256:…`. */
  readonly image: string;
}

/** What {@link pruneReleases} did, or would do. */
export interface PruneReport {
  readonly removed: readonly Removal[];
  /** Images that lost their last name, and with it their place on the disk. */
  readonly deletedImages: readonly string[];
  /** What could not be removed, and why. */
  readonly notes: readonly string[];
}

/** Options of {@link pruneReleases}. */
export interface PruneOptions {
  /** Only says what would be removed. @default false */
  readonly dryRun?: boolean;
  /** Time by which the age of leftovers is told. @default now */
  readonly now?: Date;
}

/**
 * Removes images of releases that a stack cannot go back to any more. These stay: the newest `keep`
 * releases that passed, what a rollback would take, the newest one that did not pass, whatever any container on the host is made of,
 * what another stack holds, names that a person gave, and everything that was never deployed here.
 * A stack without a release that passed keeps everything: its ledger may be elsewhere.
 *
 * Killed at any moment, the next run goes on: what is to go is told from the ledger and the holds.
 *
 * @param releases the stack's ledger, newest first.
 * @param keep number of releases that passed to keep, at least 1.
 */
export async function pruneReleases(
  docker: Docker,
  stack: string,
  releases: readonly ReleaseImage[],
  keep: number,
  options: PruneOptions = {},
): Promise<PruneReport> {
  if (!releases.some(({ passed }) => passed))
    return {
      removed: [],
      deletedImages: [],
      notes: [`No release of ${stack} has passed its gate yet, so every image is kept.`],
    };
  const plan = await planPruning(docker, stack, releases, keep, options.now ?? new Date());
  const removed: Removal[] = [];
  const notes: string[] = [];
  for (const removal of plan.removals) {
    const failure = options.dryRun === true ? undefined : await remove(docker, removal);
    if (failure === undefined) removed.push(removal);
    else notes.push(`${removal.reference} stays: ${failure}`);
  }
  const touched = [...new Set(removed.map(({ image }) => image))];
  const deletedImages: string[] = [];
  for (const image of touched) {
    const gone =
      options.dryRun === true
        ? losesEveryName(plan.images, image, removed)
        : (await inspectImage(docker, image)) === undefined;
    if (gone) deletedImages.push(image);
  }
  return { removed, deletedImages, notes };
}

function losesEveryName(
  images: readonly ImageInfo[],
  image: string,
  removed: readonly Removal[],
): boolean {
  const names = namesOf({ RepoTags: images.find(({ Id }) => Id === image)?.RepoTags });
  return names.every((name) => removed.some(({ reference }) => reference === name));
}

/**
 * Images that a stack needs: those of its newest releases that passed, the one that `rollback` would
 * take, and that of its newest attempt that did not pass, which somebody may want to look into.
 *
 * @param releases the ledger, newest first. A release that was deployed twice counts once.
 */
export function neededImages(releases: readonly ReleaseImage[], keep: number): Set<string> {
  const good = new Map<string, string>();
  for (const { tag, image, passed } of releases)
    if (passed && good.size < keep && !good.has(tag)) good.set(tag, image);
  // After going back and forth, the way back may lead past newer releases.
  const others = [earlierReleases(releases)[0], releases.find(({ passed }) => !passed)];
  return new Set([
    ...good.values(),
    ...others.flatMap((release) => (release === undefined ? [] : [release.image])),
  ]);
}

interface Plan {
  /** In the order in which they are to be removed. */
  readonly removals: readonly Removal[];
  readonly images: readonly ImageInfo[];
}

async function planPruning(
  docker: Docker,
  stack: string,
  releases: readonly ReleaseImage[],
  keep: number,
  now: Date,
): Promise<Plan> {
  const [images, containers, holds] = await Promise.all([
    docker.listImages(),
    docker.listContainers({ all: true }),
    heldReleases(docker, stack),
  ]);
  const needed = neededImages(releases, keep);
  for (const { ImageID } of containers) needed.add(ImageID);
  const dropped = holds
    .filter((hold) => !needed.has(hold.image))
    .map(({ reference, image }): Removal => ({ reference, image }));
  const droppedNames = new Set(dropped.map(({ reference }) => reference));
  const deployed = new Set(releases.map(({ image }) => image));
  const removable = images.filter(
    ({ Id, Labels, RepoTags }) =>
      !needed.has(Id) &&
      // Null where an image has none, whatever the types say.
      CONTENT_LABEL in ((Labels as Record<string, string> | null) ?? {}) &&
      namesOf({ RepoTags }).every((name) => !isHold(name) || droppedNames.has(name)),
  );
  const names = removable
    .filter(({ Id }) => deployed.has(Id))
    .flatMap((image) =>
      namesOf(image)
        .filter(isReleaseName)
        .map((reference): Removal => ({ reference, image: image.Id })),
    );
  const leftovers = removable
    .filter((image) => namesOf(image).length === 0 && digestsOf(image).length === 0)
    .filter(
      ({ Id, Created }) =>
        deployed.has(Id) || now.getTime() / 1000 - Created > LEFTOVER_AGE_SECONDS,
    )
    .map(({ Id }): Removal => ({ reference: Id, image: Id }));
  // Holds first: Docker refuses to remove the last name of an image that a container came to use.
  return { removals: [...dropped, ...names, ...leftovers], images };
}

const namesOf = ({ RepoTags }: { readonly RepoTags: string[] | undefined }): string[] =>
  (RepoTags ?? []).filter((name) => name !== "<none>:<none>");

const digestsOf = ({ RepoDigests }: ImageInfo): string[] =>
  (RepoDigests ?? []).filter((digest) => digest !== "<none>@<none>");

/** Whether a name is one that `build`, a deployment or a pull gave: `…/mlops-app:TAG`. */
const isReleaseName = (name: string): boolean => /(^|\/)mlops-app:[^/]+$/.test(name);

/**
 * Removes a name, and with its last name the image; never by force.
 *
 * @returns why it is still there, or undefined.
 */
async function remove(docker: Docker, { reference }: Removal): Promise<string | undefined> {
  try {
    await docker.getImage(reference).remove();
    return undefined;
  } catch (error) {
    const status = statusOf(error);
    // Another run was quicker.
    return status === 404 ? undefined : messageOf(error);
  }
}
