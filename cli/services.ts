import type { ContainerInfo, ContainerInspectInfo, ContainerStats } from "dockerode";
import type Docker from "dockerode";
import { CommandError, NotDeployedError } from "./errors";
import { isHold } from "./release/hold";

/** A container of a stack, as `status` shows it. */
export interface ServiceStatus {
  readonly service: string;
  readonly container: string;
  /** Name and tag of the image, or its ID where it has no tag. */
  readonly image: string;
  /** `healthy`, `starting`, `unhealthy`, `running` where there is no health check, or Docker's state. */
  readonly health: string;
  /** Time the container started, ISO 8601; undefined when it does not run. */
  readonly startedAt: string | undefined;
  /** Bytes in use, without the page cache; undefined when it does not run. */
  readonly memoryBytes: number | undefined;
  /** Limit in bytes. */
  readonly memoryLimitBytes: number;
  /** Addresses on which the host publishes it. */
  readonly urls: readonly string[];
}

/**
 * Containers of a stack's services, in the order of the services' names; one-off tasks are left out.
 *
 * @param service only this one. @default all
 * @throws NotDeployedError when there is none, CommandError when there is no such service.
 */
export async function serviceContainers(
  docker: Docker,
  stack: string,
  service?: string,
): Promise<ContainerInfo[]> {
  const containers = await docker.listContainers({
    all: true,
    filters: { label: [`mlops.stack=${stack}`] },
  });
  const services = containers
    .filter((container) => container.Labels["mlops.task"] === undefined)
    .sort((a, b) => serviceOf(a).localeCompare(serviceOf(b)) || nameOf(a).localeCompare(nameOf(b)));
  if (services.length === 0) throw new NotDeployedError(stack);
  if (service === undefined) return services;
  const named = services.filter((container) => serviceOf(container) === service);
  if (named.length === 0) {
    const known = [...new Set(services.map(serviceOf))];
    throw new CommandError(
      `Stack "${stack}" has no service "${service}".`,
      `Its services are: ${known.join(", ")}.`,
    );
  }
  return named;
}

/** Service that a container belongs to. */
export const serviceOf = (container: ContainerInfo): string =>
  container.Labels["mlops.service"] ?? nameOf(container);

/** Docker puts a slash before names. */
export const nameOf = (container: ContainerInfo): string =>
  container.Names[0]?.slice(1) ?? container.Id.slice(0, 12);

/** What is to be known about every container of a stack. */
export async function readStatus(docker: Docker, stack: string): Promise<ServiceStatus[]> {
  const containers = await serviceContainers(docker, stack);
  return Promise.all(containers.map((container) => statusOf(docker, container)));
}

async function statusOf(docker: Docker, container: ContainerInfo): Promise<ServiceStatus> {
  const running = container.State === "running";
  const handle = docker.getContainer(container.Id);
  const [details, image, stats] = await Promise.all([
    handle.inspect(),
    docker.getImage(container.ImageID).inspect(),
    running ? handle.stats({ stream: false, "one-shot": true }) : undefined,
  ]);
  return {
    service: serviceOf(container),
    container: nameOf(container),
    image: imageName(image.RepoTags, container),
    health: healthOf(details),
    startedAt: running ? details.State.StartedAt : undefined,
    memoryBytes: stats === undefined ? undefined : usedMemory(stats),
    memoryLimitBytes: details.HostConfig.Memory ?? 0,
    urls: publishedUrls(container),
  };
}

/** Of all names an image has, the one that this project gave it. */
function imageName(tags: readonly string[], container: ContainerInfo): string {
  const version = container.Labels["mlops.version"];
  const release = tags.find(
    (tag) => version !== undefined && tag.endsWith(`:${version}`) && !isHold(tag),
  );
  const own = tags.find((tag) => /(^|\/)mlops-[^/]+$/.test(tag));
  return release ?? own ?? tags[0] ?? container.ImageID.slice(0, "sha256:".length + 12);
}

function healthOf({ State }: ContainerInspectInfo): string {
  return State.Running ? (State.Health?.Status ?? "running") : State.Status;
}

/** As `docker stats` counts: the page cache that can be dropped at any time is not in use. */
export function usedMemory(stats: ContainerStats): number {
  const { usage } = stats.memory_stats;
  // The one name is cgroup v1's, the other v2's.
  const details = new Map(Object.entries(stats.memory_stats.stats));
  const cache = details.get("total_inactive_file") ?? details.get("inactive_file") ?? 0;
  return usage - (cache < usage ? cache : 0);
}

function publishedUrls(container: ContainerInfo): string[] {
  // Docker leaves the number out where nothing is published.
  return container.Ports.filter((port) => port.PublicPort > 0).map((port) => {
    const scheme = port.PrivatePort === 8443 ? "https" : "http";
    const host = port.IP === "0.0.0.0" || port.IP === "::" ? "localhost" : port.IP;
    const address = host.includes(":") ? `[${host}]` : host;
    return `${scheme}://${address}:${port.PublicPort}`;
  });
}
