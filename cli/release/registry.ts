import type Docker from "dockerode";
import type { Context } from "../context";
import { CommandError, messageOf, statusOf, StepError } from "../errors";
import { runProgram } from "../exec";
import type { Tools } from "../setup";
import { runStep, type StepRequest } from "../step";
import { readLogin, registryHost } from "./registry-login";

/** A registry does not do what it was asked. */
export class RegistryError extends CommandError {}

/** Reference without its tag: `registry.example.com/team/mlops-app`. */
export const repositoryOf = (reference: string): string =>
  reference.slice(0, reference.lastIndexOf(":"));

/**
 * Digest of the manifest that a registry has under a reference. Asks by way of the Docker daemon,
 * which is who pushes and pulls: so with its proxies, mirrors and trust in certificates.
 *
 * @returns `sha256:…`, or undefined where the registry has nothing under that reference.
 * @throws RegistryError if the registry cannot be asked.
 */
export async function registryDigest(
  context: Context,
  docker: Docker,
  reference: string,
): Promise<string | undefined> {
  const login = await readLogin(context.env, await serverOf(docker, reference));
  try {
    const { Descriptor } = await docker
      .getImage(reference)
      .distribution(login === undefined ? {} : { authconfig: login });
    return Descriptor.digest;
  } catch (error) {
    if (statusOf(error) === 404) return undefined;
    throw explainRegistry(reference, daemonMessage(error), login !== undefined);
  }
}

/**
 * Pulls or pushes as a step, by the Docker client: it knows the user's logins.
 *
 * @throws RegistryError
 */
export async function runTransfer(
  context: Context,
  tools: Tools,
  request: StepRequest,
  direction: "pull" | "push",
  reference: string,
): Promise<void> {
  try {
    await runStep(context, request, (step) =>
      step.run("docker", [direction, reference], { env: tools.env }),
    );
  } catch (error) {
    if (!(error instanceof StepError)) throw error;
    const said = error.logTail.split("\n").findLast((line) => line.trim() !== "");
    const login = await readLogin(context.env, await serverOf(tools.docker, reference));
    throw explainRegistry(reference, said ?? messageOf(error), login !== undefined);
  }
}

/**
 * Bytes of an image's layers as the registry has them, that is compressed; undefined where the
 * registry does not tell. For an estimate: what is wrong with a registry shows when it is used.
 */
export async function registrySize(
  context: Context,
  tools: Tools,
  reference: string,
): Promise<number | undefined> {
  const host = registryHost(reference) ?? "";
  // Docker itself allows plain HTTP to registries of the same machine.
  const insecure = /^(localhost|127\.[\d.]+|\[::1\])(:\d+)?$/.test(host) ? ["--insecure"] : [];
  const { failed, stdout } = await runProgram(
    "docker",
    ["manifest", "inspect", "--verbose", ...insecure, reference],
    { env: { ...context.env, ...tools.env }, reject: false },
  );
  if (failed) return undefined;
  const manifests = [JSON.parse(stdout)].flat() as readonly VerboseManifest[];
  const sizes = manifests.map(({ SchemaV2Manifest, OCIManifest }) =>
    (SchemaV2Manifest ?? OCIManifest)?.layers.reduce((sum, { size }) => sum + size, 0),
  );
  // Of an image for several platforms the largest: an estimate had better be too large.
  return Math.max(...sizes.map((size) => size ?? 0));
}

/** What `docker manifest inspect --verbose` prints for each platform. */
interface VerboseManifest {
  readonly SchemaV2Manifest?: ManifestLayers;
  readonly OCIManifest?: ManifestLayers;
}

interface ManifestLayers {
  readonly layers: readonly { readonly size: number }[];
}

/** Address under which logins for the registry of a reference are kept. */
async function serverOf(docker: Docker, reference: string): Promise<string> {
  const host = registryHost(reference);
  if (host !== undefined) return host;
  const info = (await docker.info()) as { readonly IndexServerAddress: string };
  return info.IndexServerAddress;
}

/** What the daemon said, without what its client library puts around it. */
function daemonMessage(error: unknown): string {
  const body = error instanceof Error && "json" in error ? error.json : undefined;
  const said = (body as { readonly message?: unknown } | undefined)?.message;
  return typeof said === "string" ? said : messageOf(error);
}

/**
 * Turns what Docker says of a registry into what is wrong and what to do.
 *
 * @param reason the last line that Docker printed.
 * @param loggedIn whether a login for that registry was sent.
 */
export function explainRegistry(
  reference: string,
  reason: string,
  loggedIn: boolean,
): RegistryError {
  const host = registryHost(reference);
  const registry = host === undefined ? "Docker's own registry" : `The registry ${host}`;
  const said = reason.replace(/^(error|Error response from daemon): /i, "").replace(/\.$/, "");
  const about = (problem: string, fix: string): RegistryError =>
    new RegistryError(`${registry} ${problem} ${reference}: ${said}.`, fix);
  if (/unauthorized|no basic auth|authentication required|denied|forbidden/i.test(said))
    return about(
      loggedIn ? "does not accept the login that is kept for it, asked for" : "wants a login for",
      `Log in, as a user who may push and pull there: docker login${host === undefined ? "" : ` ${host}`}`,
    );
  if (/HTTP response to HTTPS client/i.test(said))
    return about(
      "speaks HTTP, not HTTPS, asked for",
      'Give it a certificate, or, in a network you trust, name it in "insecure-registries" of the Docker daemon.',
    );
  if (/x509|certificate/i.test(said))
    return about(
      "has a certificate that the Docker daemon does not trust, asked for",
      `Put its authority's certificate into /etc/docker/certs.d/${host ?? "HOST"}/ca.crt on the Docker host.`,
    );
  if (/manifest unknown|not found|no such manifest|name unknown/i.test(said))
    return about("does not have", "Check the name and the TAG, or build and push it first.");
  if (/no space left/i.test(said))
    return about(
      "was read, but the disk of the Docker host is full:",
      "Free some room (docker system df shows what Docker uses).",
    );
  return about(
    "cannot be reached for",
    "Check REGISTRY and the network from this machine, and that the registry runs; then try again.",
  );
}
