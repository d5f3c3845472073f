import { setTimeout as delay } from "node:timers/promises";
import type Docker from "dockerode";
import { codeOf, DockerUnreachableError, messageOf } from "./errors";

const PING_TIMEOUT_MS = 5000;

/** Address of the Docker daemon that the caller's environment names. */
export function dockerAddress(env: Readonly<NodeJS.ProcessEnv>): string {
  const host = env["DOCKER_HOST"];
  return host === undefined || host === "" ? "unix:///var/run/docker.sock" : host;
}

/** A client of the daemon named by `DOCKER_HOST`, or of the local one. Does not connect yet. */
export async function dockerClient(): Promise<Docker> {
  // Loaded on use: a third of the time that a command without it takes to start.
  const { default: DockerClient } = await import("dockerode");
  return new DockerClient();
}

/** Why the daemon does not answer, or undefined when it does. */
export async function pingFailure(docker: Docker): Promise<Error | undefined> {
  const silence = delay(PING_TIMEOUT_MS, undefined, { ref: false }).then(() => {
    throw new Error(`no answer within ${PING_TIMEOUT_MS / 1000} s`);
  });
  try {
    await Promise.race([docker.ping(), silence]);
    return undefined;
  } catch (error) {
    return error instanceof Error ? error : new Error(String(error));
  }
}

/**
 * A client of a daemon that answers.
 *
 * @throws DockerUnreachableError
 */
export async function connectDocker(env: Readonly<NodeJS.ProcessEnv>): Promise<Docker> {
  const docker = await dockerClient();
  const failure = await pingFailure(docker);
  if (failure !== undefined) throw unreachable(env, failure);
  return docker;
}

/** The error for a daemon that does not answer, with the fix that fits the reason. */
export function unreachable(
  env: Readonly<NodeJS.ProcessEnv>,
  failure: Error,
): DockerUnreachableError {
  const address = dockerAddress(env);
  switch (codeOf(failure)) {
    case "EACCES":
      return new DockerUnreachableError(
        address,
        "permission denied",
        "Add this user to the docker group (sudo usermod -aG docker $USER) and log in again.",
      );
    case "ENOENT":
      return new DockerUnreachableError(address, "nothing listens there");
    case "ECONNREFUSED":
      return new DockerUnreachableError(address, "connection refused");
    default:
      return new DockerUnreachableError(address, messageOf(failure));
  }
}
