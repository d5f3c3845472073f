import type Docker from "dockerode";
import type { ImageInspectInfo } from "dockerode";
import type { Config } from "../config";
import { releaseReference, releaseRepository } from "../components/release-image";
import type { Context } from "./context";
import { ImageNotFoundError, statusOf } from "./errors";
import { registrySize, runTransfer } from "./release/registry";
import { isReleaseTag } from "./release/release-tag";
import type { Tools } from "./setup";

/**
 * Makes sure that every image the configuration names is on the Docker host, by pulling those that
 * are not. Images that are built from this project are left to the deployment.
 *
 * @throws ImageNotFoundError, RegistryError
 */
export async function requireImages(
  context: Context,
  tools: Tools,
  config: Config,
  retry: string,
): Promise<void> {
  const { tag, registry } = config.release;
  if (tag !== "" && registry === "") await requireOwnRelease(tools.docker, config, tag);
  for (const reference of namedImages(config)) {
    if (await hasImage(tools.docker, reference)) continue;
    const request = { name: "image-pull", title: `Pulling ${reference}`, retry };
    await runTransfer(context, tools, request, "pull", reference);
  }
}

/**
 * Bytes of the images that a deployment brings: the release's own, and those that must be pulled, as
 * far as their registries tell. What is built from this project is not counted.
 */
export async function bytesOfImages(
  context: Context,
  tools: Tools,
  config: Config,
): Promise<number> {
  const { tag, registry } = config.release;
  const release = tag === "" ? undefined : releaseReference(registry, tag);
  let bytes = 0;
  for (const reference of new Set([
    ...namedImages(config),
    ...(release === undefined ? [] : [release]),
  ])) {
    const image = await inspectImage(tools.docker, reference);
    if (image === undefined) bytes += (await registrySize(context, tools, reference)) ?? 0;
    else if (reference === release) bytes += image.Size;
  }
  return bytes;
}

/** References that can be pulled. */
function namedImages(config: Config): Set<string> {
  const { tag, registry } = config.release;
  const named = [
    tag === "" || registry === "" ? "" : releaseReference(registry, tag),
    config.postgres.image,
    config.redis.image,
    config.mlflow.image,
    config.nginx.image,
    config.prometheus.image,
    config.exporters.image,
    config.backup.image,
  ];
  return new Set(named.filter((reference) => reference !== ""));
}

/** Whether the Docker host has an image under that reference. */
async function hasImage(docker: Docker, reference: string): Promise<boolean> {
  return (await inspectImage(docker, reference)) !== undefined;
}

/** What the Docker host knows of an image, or undefined where it has none of that name. */
export async function inspectImage(
  docker: Docker,
  reference: string,
): Promise<ImageInspectInfo | undefined> {
  try {
    return await docker.getImage(reference).inspect();
  } catch (error) {
    if (statusOf(error) === 404) return undefined;
    throw error;
  }
}

/** Without a registry a release can only be one that was built on this host. */
async function requireOwnRelease(docker: Docker, config: Config, tag: string): Promise<void> {
  const reference = releaseReference("", tag);
  if (await hasImage(docker, reference)) return;
  const images = await docker.listImages({ filters: { reference: [releaseRepository("")] } });
  const tags = images
    .flatMap((image) => image.RepoTags ?? [])
    .map((name) => name.slice(name.lastIndexOf(":") + 1))
    .filter(isReleaseTag);
  throw new ImageNotFoundError(
    reference,
    `no registry is set, and the releases built on this host are: ${tags.length === 0 ? "none" : tags.sort().join(", ")}.`,
    `Build it (./mlops build ${tag}), name another TAG, or set REGISTRY to where it can be pulled for stack "${config.stack}".`,
  );
}
