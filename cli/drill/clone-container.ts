import type Docker from "dockerode";
import type { Container, ContainerInspectInfo } from "dockerode";
import { HARDENED, limitsOf } from "../hardening";

/** How a copy of a container differs from it. */
export interface CloneRequest {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  /** Network, and the name under which it is found there. */
  readonly network: string;
  readonly alias?: string;
  /** Volumes by mount path, all of them. */
  readonly volumes: Readonly<Record<string, string>>;
  /** @default the container's own */
  readonly command?: readonly string[];
}

/** What Docker leaves out or says null for where it is not set, other than the types have it. */
interface Optional {
  readonly Cmd: readonly string[] | null;
  readonly Env: readonly string[] | null;
  readonly StopSignal?: string;
}

/**
 * Creates a container like another, as hardened and with the same limits, that shares neither data
 * nor networks nor ports with it. It does not come back by itself.
 */
export function cloneContainer(
  docker: Docker,
  like: ContainerInspectInfo,
  request: CloneRequest,
): Promise<Container> {
  const { name, labels, network, alias, volumes } = request;
  const { HostConfig: host } = like;
  const { Cmd, Env, StopSignal } = like.Config as Optional;
  return docker.createContainer({
    name,
    Image: like.Image,
    Cmd: [...(request.command ?? Cmd ?? [])],
    User: like.Config.User,
    Env: [...(Env ?? [])],
    Labels: { ...labels },
    Healthcheck: like.Config.Healthcheck ?? { Test: [] },
    StopSignal: StopSignal ?? "SIGTERM",
    NetworkingConfig: {
      EndpointsConfig: { [network]: alias === undefined ? {} : { Aliases: [alias] } },
    },
    HostConfig: {
      NetworkMode: network,
      Binds: Object.entries(volumes).map(([path, volume]) => `${volume}:${path}`),
      ...HARDENED,
      ...limitsOf(host),
      Tmpfs: host.Tmpfs,
    },
  });
}
