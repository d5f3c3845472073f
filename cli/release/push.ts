import type { ImageInspectInfo } from "dockerode";
import type { Context } from "../context";
import { CommandError } from "../errors";
import { inspectImage } from "../images";
import type { Tools } from "../setup";
import { registryDigest, repositoryOf, runTransfer } from "./registry";

/** What a registry has under a release's reference. */
export interface Published {
  /** `registry.example.com/team/mlops-app@sha256:…` */
  readonly digest: string;
  /** Whether this run brought it there. */
  readonly pushed: boolean;
}

/**
 * Pushes a release's image, unless the registry has it. What is there under the tag already is never
 * replaced: somebody may run it, and go back to it by its tag.
 *
 * @throws CommandError naming both images if the registry has another one under that tag.
 */
export async function publish(
  context: Context,
  tools: Tools,
  reference: string,
  retry: string,
): Promise<Published> {
  const { docker } = tools;
  const local = await docker.getImage(reference).inspect();
  const before = await registryDigest(context, docker, reference);
  if (before !== undefined) {
    await requireSame(context, tools, reference, local, before, retry);
    return { digest: `${repositoryOf(reference)}@${before}`, pushed: false };
  }
  const request = { name: "push", title: `Pushing ${reference}`, retry };
  await runTransfer(context, tools, request, "push", reference);
  const after = await registryDigest(context, docker, reference);
  if (after === undefined)
    throw new CommandError(
      `${reference} was pushed, but the registry does not have it.`,
      `See .mlops/logs/push.log for what the registry answered, then try again with: ${retry}`,
    );
  // Registries let the last of two pushes at once win.
  const pushed = await docker.getImage(reference).inspect();
  await requireSame(context, tools, reference, pushed, after, retry);
  return { digest: `${repositoryOf(reference)}@${after}`, pushed: true };
}

async function requireSame(
  context: Context,
  tools: Tools,
  reference: string,
  local: ImageInspectInfo,
  digest: string,
  retry: string,
): Promise<void> {
  const pinned = `${repositoryOf(reference)}@${digest}`;
  if (local.RepoDigests.includes(pinned) || local.Id === digest) return;
  await withPulled(context, tools, pinned, retry, ({ Id }) => {
    if (Id === local.Id) return;
    throw new CommandError(
      `The registry has another image as ${reference}: ${pinned} (image ${Id}), where this host has image ${local.Id}. Nothing was pushed.`,
      `A release does not change: choose a new tag. Or, to use the registry's: docker image rm ${reference}`,
    );
  });
}

/**
 * Takes a release's image from the registry, where this host has none under its reference.
 *
 * @param accept decides by what the image is; throws to refuse it, and then no trace of it is left.
 * @returns whether the registry had one.
 */
export async function takeFromRegistry(
  context: Context,
  tools: Tools,
  reference: string,
  retry: string,
  accept: (image: ImageInspectInfo, pinned: string) => void,
): Promise<boolean> {
  const digest = await registryDigest(context, tools.docker, reference);
  if (digest === undefined) return false;
  const repo = repositoryOf(reference);
  const pinned = `${repo}@${digest}`;
  await withPulled(context, tools, pinned, retry, async (image) => {
    accept(image, pinned);
    const tag = reference.slice(repo.length + 1);
    await tools.docker.getImage(image.Id).tag({ repo, tag });
  });
  return true;
}

/**
 * Works with an image that is pulled by its digest, so that no tag of this host moves. If the work
 * fails, an image that was not there before is removed again.
 */
async function withPulled<T>(
  context: Context,
  tools: Tools,
  pinned: string,
  retry: string,
  work: (image: ImageInspectInfo) => T | Promise<T>,
): Promise<T> {
  const { docker } = tools;
  const known = await inspectImage(docker, pinned);
  if (known !== undefined) return work(known);
  const request = { name: "image-pull", title: `Pulling ${pinned}`, retry };
  await runTransfer(context, tools, request, "pull", pinned);
  try {
    return await work(await docker.getImage(pinned).inspect());
  } catch (error) {
    await docker.getImage(pinned).remove();
    throw error;
  }
}
