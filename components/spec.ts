import type * as pulumi from "@pulumi/pulumi";

/**
 * What a service is, apart from how an engine runs it. The components describe their services
 * with these types; a renderer (`container.ts` for a single Docker host) turns them into
 * resources. Nothing here names a Docker resource, so that another engine is another renderer.
 */
export interface ServiceSpec {
  /** Short name: the role of the service and its alias on every network, such as `postgres`. */
  readonly name: string;
  /** Image ID, so that a changed image always replaces the container. */
  readonly image: pulumi.Input<string>;
  /** `uid:gid` of every process of the service. */
  readonly user: string;
  /** Command and arguments, after the image's own entry point. @default the image's */
  readonly command?: readonly pulumi.Input<string>[];
  /** Rights of root that it is given back, where root it must be. @default none */
  readonly capabilities?: readonly Capability[];
  /** Environment. Never a secret: secrets are files. @default none */
  readonly environment?: Readonly<Record<string, pulumi.Input<string>>>;
  /** Configuration and secret files, mounted read-only unless a mount says otherwise. @default none */
  readonly files?: readonly FilesMount[];
  /** Named data volumes. @default none */
  readonly volumes?: readonly VolumeMount[];
  /** Folders of the host, for development only. @default none */
  readonly hostFolders?: readonly HostFolder[];
  /** Writable paths in memory, beside the read-only root. */
  readonly tmpfs: readonly Tmpfs[];
  readonly health: Probe;
  readonly resources: Resources;
  /** Networks to join, with the aliases under which the service is found there. */
  readonly networks: readonly NetworkName[];
  /** Ports bound on the host; a service that has any also joins `public`. @default none */
  readonly ports?: readonly PublishedPort[];
  /**
   * `start-first` runs the new container beside the old one until it is healthy and everything
   * that depends on it has moved over; `stop-first` is for what must have a single writer.
   */
  readonly update: "start-first" | "stop-first";
  /** Signal that asks for a clean stop. @default "SIGTERM" */
  readonly stopSignal?: string;
  /** Seconds between the stop signal and SIGKILL. */
  readonly stopGraceSeconds: number;
  /** Where Prometheus finds the service's own metrics. @default none */
  readonly metrics?: MetricsEndpoint;
}

/** One of the kernel's capabilities, and what for. */
export interface Capability {
  /** Without `CAP_`. */
  readonly name: string;
  readonly reason: string;
}

/** The three networks of a stack; `data` and `application` have no way out. */
export type NetworkName = "public" | "application" | "data";

/** A volume with files in it. */
export interface FilledVolume {
  /**
   * Name of the volume on the Docker host. Known before the files are there, so that a preview sees
   * that it stays the same when they are written anew.
   */
  readonly volumeName: pulumi.Output<string>;
  /** Done when the files are there: whoever mounts the volume depends on it. */
  readonly ready: pulumi.Resource;
  /** Changes exactly when the content was written anew. */
  readonly version: pulumi.Output<string>;
}

/** A volume of files written before the service starts. */
export interface FilesMount {
  readonly volume: FilledVolume;
  /** Absolute path of the folder in the container. */
  readonly path: string;
  /** @default true */
  readonly readOnly?: boolean;
  /** Whether new content asks for a new container; else something tells the running one. @default true */
  readonly replaces?: boolean;
}

/** A named volume whose content outlives every container. */
export interface VolumeMount {
  /** Name of the volume on the Docker host. */
  readonly volume: pulumi.Input<string>;
  /** Absolute path in the container. */
  readonly path: string;
  /** @default false */
  readonly readOnly?: boolean;
}

/** A folder of the host, mounted read-write. */
export interface HostFolder {
  /** Absolute path on the host. */
  readonly source: string;
  /** Absolute path in the container. */
  readonly path: string;
}

/** A file system in memory. */
export interface Tmpfs {
  /** Absolute path in the container. */
  readonly path: string;
  /** Size limit in MiB. @default 64 */
  readonly size?: number;
  /** Octal mode of the folder. @default "0750" */
  readonly mode?: string;
}

/** How an engine asks a service whether it works. All durations in seconds. */
export interface Probe {
  /** Argument vector run inside the container; exit code 0 means healthy. */
  readonly command: readonly string[];
  /** @default 5 */
  readonly interval?: number;
  /** @default 5 */
  readonly timeout?: number;
  /** Consecutive failures until the service counts as unhealthy. @default 5 */
  readonly retries?: number;
  /** Failures in this time after the start do not count. @default 60 */
  readonly startPeriod?: number;
}

/** Limits are enforced; reservations decide who gives way when the host is short. */
export interface Resources {
  /** CPU limit in cores. */
  readonly cpus: number;
  /** Memory limit in MiB; swap is not allowed on top. */
  readonly memory: number;
  /** Cores this service gets when all are busy, as a share. @default 0, the engine's own share */
  readonly cpuReservation: number;
  /** MiB this service keeps when the host is short of memory. @default 0, none */
  readonly memoryReservation: number;
}

/** A port of the container on an address of the host. */
export interface PublishedPort {
  readonly container: number;
  /** 0 publishes nothing. */
  readonly host: number;
}

/** An HTTP endpoint in the Prometheus text format. */
export interface MetricsEndpoint {
  readonly port: number;
  /** @default "/metrics" */
  readonly path?: string;
}
