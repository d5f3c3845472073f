import type { Context } from "../context";
import { CommandError } from "../errors";
import { inspectImage } from "../images";
import type { Tools } from "../setup";
import { takeFromRegistry } from "./push";
import { repositoryOf } from "./registry";
import { registryHost } from "./registry-login";

/** What the ledger says of a release's image. */
export interface ReleaseImage {
  /** Tag of the release. */
  readonly tag: string;
  /** Image ID, `sha256:…`. */
  readonly image: string;
  /** Whether it passed its gate. */
  readonly passed: boolean;
}

/**
 * Refuses a release whose tag stood for another image on this stack before, passed or not: what was
 * seen of it then says nothing of what would run now.
 *
 * @param releases the stack's ledger.
 * @param imageId image that the tag stands for now, `sha256:…`.
 * @throws CommandError naming both images.
 */
export function refuseOtherContent(
  releases: readonly Pick<ReleaseImage, "tag" | "image">[],
  tag: string,
  imageId: string,
): void {
  const before = releases.find((release) => release.tag === tag && release.image !== imageId);
  if (before === undefined) return;
  throw new CommandError(
    `${tag} stands for another image than when this stack last ran it: then ${before.image}, now ${imageId}. Nothing was changed.`,
    `A release does not change: build what is new under a new tag. To run what ${tag} was, give its image the name again: docker tag ${before.image} NAME:${tag}`,
  );
}

/**
 * Makes sure that a release's name stands for one certain image on this host: as it is, or by the
 * image being here under another name, or by pulling it from the registry.
 *
 * @param reference name of the release's image, such as `registry.example.com/mlops-app:v1.0.0`.
 * @param expectedImageId `sha256:…`
 * @param retry command that does it again.
 * @throws CommandError naming both images if the name stands for another one, here or in the registry.
 */
export async function ensureSameImage(
  context: Context,
  tools: Tools,
  reference: string,
  expectedImageId: string,
  retry: string,
): Promise<void> {
  const { docker } = tools;
  const local = await inspectImage(docker, reference);
  if (local?.Id === expectedImageId) return;
  if (local !== undefined)
    throw new CommandError(
      `${reference} is image ${local.Id} on this host, and ${expectedImageId} was asked for. Nothing was changed.`,
      `If nothing needs the one that is here: docker image rm ${reference}; then try again with: ${retry}`,
    );
  if ((await inspectImage(docker, expectedImageId)) !== undefined) {
    const repo = repositoryOf(reference);
    await docker.getImage(expectedImageId).tag({ repo, tag: reference.slice(repo.length + 1) });
    return;
  }
  const fix = `Bring the image here, by REGISTRY or by docker save and docker load; then try again with: ${retry}`;
  if (registryHost(reference) === undefined && !reference.includes("/"))
    throw new CommandError(
      `${reference} (image ${expectedImageId}) is not on this host, and no registry is set.`,
      fix,
    );
  const found = await takeFromRegistry(context, tools, reference, retry, ({ Id }, pinned) => {
    if (Id !== expectedImageId)
      throw new CommandError(
        `${reference} is ${pinned} (image ${Id}) in the registry, and image ${expectedImageId} was asked for. Nothing was changed.`,
        `A release does not change: find out who pushed over it, and release under a new tag.`,
      );
  });
  if (!found)
    throw new CommandError(
      `${reference} (image ${expectedImageId}) is neither on this host nor in the registry.`,
      fix,
    );
}
