import { createHash } from "node:crypto";
import type Docker from "dockerode";

const PREFIX = "mlops-release/";
/** A part of a repository's name, by Docker's reference grammar. */
const COMPONENT = /^[a-z0-9]+(?:(?:\.|_{1,2}|-+)[a-z0-9]+)*$/;

/** A stack's claim on an image: as long as there is one, no other stack removes the image. */
export interface Hold {
  /** Tag of the release. */
  readonly tag: string;
  /** Image ID, `sha256:…`. */
  readonly image: string;
  /** Name of the claim on the Docker host, such as `mlops-release/prod:v1.0.0`. */
  readonly reference: string;
}

/** Whether a name of an image is a stack's claim on it, and not a name to run it by. */
export const isHold = (reference: string): boolean => reference.startsWith(PREFIX);

/** Repository under which a stack holds images; names that Docker does not allow are replaced. */
export function holdRepository(stack: string): string {
  if (COMPONENT.test(stack)) return `${PREFIX}${stack}`;
  return `${PREFIX}${createHash("sha256").update(stack).digest("hex").slice(0, 12)}`;
}

/**
 * Keeps the image of a release on the Docker host, by a tag that belongs to the stack alone. Holding
 * it once more changes nothing.
 *
 * @param tag tag of the release.
 * @param imageId `sha256:…`
 */
export async function holdRelease(
  docker: Docker,
  stack: string,
  tag: string,
  imageId: string,
): Promise<void> {
  await docker.getImage(imageId).tag({ repo: holdRepository(stack), tag });
}

/** Everything that a stack holds. */
export async function heldReleases(docker: Docker, stack: string): Promise<Hold[]> {
  const repository = holdRepository(stack);
  const images = await docker.listImages({ filters: { reference: [repository] } });
  return images.flatMap(({ Id, RepoTags }) =>
    (RepoTags ?? [])
      .filter((reference) => reference.startsWith(`${repository}:`))
      .map((reference) => ({
        tag: reference.slice(repository.length + 1),
        image: Id,
        reference,
      })),
  );
}
