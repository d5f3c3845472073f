import type Docker from "dockerode";
import type { ImageInspectInfo } from "dockerode";
import type { Config } from "../config";
import type { Context } from "./context";
import { ImageNotFoundError, messageOf, StepError } from "./errors";
import type { Tools } from "./setup";
import { runStep } from "./step";

/**
 * Makes sure that every image the configuration names is on the Docker host, by pulling those that
 * are not. Images that are built from this project are left to the deployment.
 *
 * @throws ImageNotFoundError
 */
export async function requireImages(
  context: Context,
  tools: Tools,
  config: Config,
  retry: string,
): Promise<void> {
  const { tag, registry } = config.release;
  if (tag !== "" && registry === "") await requireOwnRelease(tools.docker, config, tag);
  const named = [
    tag === "" || registry === "" ? "" : `${registry}/mlops-app:${tag}`,
    config.postgres.image,
    config.redis.image,
    config.mlflow.image,
    config.nginx.image,
    config.prometheus.image,
    config.exporters.image,
  ].filter((reference) => reference !== "");
  for (const reference of new Set(named))
    if (!(await hasImage(tools.docker, reference))) await pull(context, tools, reference, retry);
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
    if (error instanceof Error && "statusCode" in error && error.statusCode === 404)
      return undefined;
    throw error;
  }
}

/** Without a registry a release can only be one that was built on this host. */
async function requireOwnRelease(docker: Docker, config: Config, tag: string): Promise<void> {
  const reference = `mlops-app:${tag}`;
  if (await hasImage(docker, reference)) return;
  const images = await docker.listImages({ filters: { reference: ["mlops-app"] } });
  const tags = images
    .flatMap((image) => image.RepoTags ?? [])
    .map((name) => name.slice(name.lastIndexOf(":") + 1))
    // Contents of app/ that were deployed without a tag are not releases.
    .filter((name) => !/^[0-9a-f]{12}$/.test(name));
  throw new ImageNotFoundError(
    reference,
    `no registry is set, and the releases built on this host are: ${tags.length === 0 ? "none" : tags.sort().join(", ")}.`,
    `Build it (./mlops build ${tag}), name another TAG, or set REGISTRY to where it can be pulled for stack "${config.stack}".`,
  );
}

/** Pulls by the docker client, which knows the user's registry logins. */
async function pull(
  context: Context,
  tools: Tools,
  reference: string,
  retry: string,
): Promise<void> {
  try {
    await runStep(context, { name: "image-pull", title: `Pulling ${reference}`, retry }, (step) =>
      step.run("docker", ["pull", reference], { env: tools.env }),
    );
  } catch (error) {
    if (!(error instanceof StepError)) throw error;
    const reason =
      error.logTail.split("\n").findLast((line) => line.trim() !== "") ?? messageOf(error);
    throw new ImageNotFoundError(
      reference,
      reason,
      "Check its name and tag, and the login of its registry (docker login).",
    );
  }
}
