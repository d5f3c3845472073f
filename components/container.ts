import * as docker from "@pulumi/docker";
import * as pulumi from "@pulumi/pulumi";
import { labelList, stackLabels, type StackContext } from "./context";
import type { NetworkName, Probe, ServiceSpec, Tmpfs } from "./spec";

/** Arguments of {@link Containers}. */
export interface ContainersArgs {
  readonly context: StackContext;
  readonly spec: ServiceSpec;
  /** Number of containers; more than one only with `start-first`. @default 1 */
  readonly replicas?: number;
  /** Further labels, such as the release. @default none */
  readonly labels?: Readonly<Record<string, pulumi.Input<string>>>;
  /**
   * Whether the deployment waits here until the containers are healthy; else what depends on them
   * has to. @default true
   */
  readonly wait?: boolean;
  /** Further aliases by network. @default none */
  readonly aliases?: Partial<Record<NetworkName, pulumi.Input<string>>>;
}

/** The probe's own defaults, as documented there. */
const PROBE_DEFAULTS = { interval: 5, timeout: 5, retries: 5, startPeriod: 60 } as const;

/**
 * Renders a {@link ServiceSpec} as hardened Docker containers: every service of the stack runs
 * with a read-only root, no capabilities, no new privileges, a fixed unprivileged user, bounded
 * memory, CPU, processes and logs, and `up` waits until each is healthy.
 */
export class Containers extends pulumi.ComponentResource {
  /** Docker container IDs, one per replica. */
  readonly ids: pulumi.Output<string[]>;
  /** Docker container names, one per replica. */
  readonly names: pulumi.Output<string[]>;

  constructor(name: string, args: ContainersArgs, opts?: pulumi.ComponentResourceOptions) {
    super("mlops:docker:Containers", name, {}, opts);
    const replicas = args.replicas ?? 1;
    const containers = Array.from({ length: replicas }, (_, index) =>
      this.container(replicas === 1 ? name : `${name}-${index}`, args),
    );
    this.ids = pulumi.all(containers.map((container) => container.id));
    this.names = pulumi.all(containers.map((container) => container.name));
    this.registerOutputs({ ids: this.ids, names: this.names });
  }

  private container(name: string, args: ContainersArgs): docker.Container {
    const { context, spec } = args;
    const startFirst = spec.update === "start-first";
    const ports = publishedPorts(args);
    // Only a network with a way out can publish a port.
    const networks = new Set<NetworkName>([
      ...spec.networks,
      ...(ports.length === 0 ? [] : (["public"] as const)),
    ]);
    return new docker.Container(
      name,
      {
        // A name that two containers cannot share would forbid starting the new one first.
        ...(startFirst ? {} : { name }),
        image: spec.image,
        user: spec.user,
        ...(spec.command === undefined ? {} : { command: [...spec.command] }),
        envs: environment(spec),
        labels: containerLabels(args),
        ...(ports.length === 0 ? {} : { ports }),
        networkMode: "bridge",
        networksAdvanced: [...networks].map((network) => ({
          name: context.networks[network],
          aliases: aliases(args, network),
        })),
        volumes: mounts(spec),
        readOnly: true,
        tmpfs: tmpfs(spec),
        capabilities: {
          ...(spec.capabilities === undefined
            ? {}
            : { adds: spec.capabilities.map(({ name }) => `CAP_${name}`) }),
          drops: ["ALL"],
        },
        securityOpts: ["no-new-privileges:true"],
        init: true,
        memory: spec.resources.memory,
        // Equal to memory: no swap on top of the limit.
        memorySwap: spec.resources.memory,
        ...(spec.resources.memoryReservation === 0
          ? {}
          : { memoryReservation: spec.resources.memoryReservation }),
        cpus: cores(spec.resources.cpus),
        ...(spec.resources.cpuReservation === 0
          ? {}
          : // 1024 is the engine's weight of one full share.
            { cpuShares: Math.round(1024 * spec.resources.cpuReservation) }),
        ulimits: [
          { name: "nofile", soft: 16384, hard: 16384 },
          { name: "nproc", soft: 4096, hard: 4096 },
        ],
        logDriver: "json-file",
        logOpts: { "max-size": context.log.maxSize, "max-file": String(context.log.maxFiles) },
        // `unless-stopped` comes back after a restart of the daemon, `on-failure` would not.
        restart: "unless-stopped",
        stopSignal: spec.stopSignal ?? "SIGTERM",
        stopTimeout: spec.stopGraceSeconds,
        // Without it the provider stops a replaced container by SIGKILL, at once.
        destroyGraceSeconds: spec.stopGraceSeconds,
        healthcheck: healthcheck(spec.health),
        ...(args.wait === false
          ? { wait: false }
          : { wait: true, waitTimeout: healthyWithin(spec.health) }),
        mustRun: true,
        removeVolumes: false,
      },
      {
        parent: this,
        dependsOn: (spec.files ?? []).map((mount) => mount.volume.ready),
        deleteBeforeReplace: !startFirst,
        // A container that failed to become healthy is not kept, and `wait` runs at create only.
        replaceOnChanges: ["#initerror", "healthcheck", "tmpfs", "init"],
      },
    );
  }
}

function publishedPorts({ context, spec }: ContainersArgs): docker.types.input.ContainerPort[] {
  return (spec.ports ?? [])
    .filter((port) => port.host !== 0)
    .map((port) => ({
      internal: port.container,
      external: port.host,
      ip: context.bindAddress,
      protocol: "tcp",
    }));
}

/** Environment as the sorted `KEY=value` list that the provider compares without order. */
function environment(spec: ServiceSpec): pulumi.Input<string>[] {
  return Object.entries(spec.environment ?? {})
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([key, value]) => pulumi.interpolate`${key}=${value}`);
}

function containerLabels({ context, spec, labels }: ContainersArgs): {
  label: string;
  value: pulumi.Input<string>;
}[] {
  const files = (spec.files ?? [])
    .filter((mount) => mount.replaces !== false)
    .map((mount) => mount.volume.version);
  return labelList({
    ...stackLabels(context, spec.name),
    // New content in a file that is read at start asks for a new container.
    ...(files.length === 0
      ? {}
      : { "mlops.files": pulumi.all(files).apply((versions) => versions.join(",")) }),
    ...labels,
  });
}

function aliases({ spec, aliases }: ContainersArgs, network: NetworkName): pulumi.Input<string>[] {
  const further = aliases?.[network];
  return further === undefined ? [spec.name] : [spec.name, further];
}

function mounts(spec: ServiceSpec): docker.types.input.ContainerVolume[] {
  return [
    ...(spec.files ?? []).map((mount) => ({
      volumeName: mount.volume.volumeName,
      containerPath: mount.path,
      readOnly: mount.readOnly ?? true,
    })),
    ...(spec.volumes ?? []).map((mount) => ({
      volumeName: mount.volume,
      containerPath: mount.path,
      ...(mount.readOnly === true ? { readOnly: true } : {}),
    })),
    ...(spec.hostFolders ?? []).map((folder) => ({
      hostPath: folder.source,
      containerPath: folder.path,
    })),
  ];
}

function tmpfs(spec: ServiceSpec): Record<string, string> {
  const [uid, gid] = spec.user.split(":");
  const options = (mount: Tmpfs): string =>
    `rw,noexec,nosuid,nodev,size=${mount.size ?? 64}m,uid=${uid},gid=${gid},mode=${mount.mode ?? "0750"}`;
  return Object.fromEntries(spec.tmpfs.map((mount) => [mount.path, options(mount)]));
}

function healthcheck(probe: Probe): docker.types.input.ContainerHealthcheck {
  const { interval, timeout, retries, startPeriod } = { ...PROBE_DEFAULTS, ...probe };
  return {
    tests: ["CMD", ...probe.command],
    interval: goDuration(interval),
    timeout: goDuration(timeout),
    retries,
    startPeriod: goDuration(startPeriod),
  };
}

/**
 * Seconds after which a container that works would have become healthy: its time to start, and as
 * many probes as it may fail. The provider waits that long even for one that is unhealthy already.
 */
function healthyWithin(probe: Probe): number {
  const { interval, timeout, retries, startPeriod } = { ...PROBE_DEFAULTS, ...probe };
  return startPeriod + retries * (interval + timeout);
}

/** A number of cores as the provider reads it back, so that reading shows no difference. */
function cores(cpus: number): string {
  return Number.isInteger(cpus) ? cpus.toFixed(1) : String(cpus);
}

/**
 * A duration as Docker writes it back, so that reading the container shows no difference.
 *
 * @param seconds whole seconds, at least 0.
 */
export function goDuration(seconds: number): string {
  const hours = Math.floor(seconds / 3600);
  const minutes = Math.floor((seconds % 3600) / 60);
  const rest = `${seconds % 60}s`;
  if (hours > 0) return `${hours}h${minutes}m${rest}`;
  return minutes > 0 ? `${minutes}m${rest}` : rest;
}
