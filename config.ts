import { checkAlertAge, readBackup, type BackupConfig } from "./config/backup";
import { ConfigReader, type ConfigSource } from "./config/reader";
import type { Resources } from "./components/spec";

export { ConfigError, type ConfigProblem } from "./config/error";
export type { BackupConfig, RepositoryConfig } from "./config/backup";
export type { ConfigSource } from "./config/reader";

/** Everything that the program takes from outside. Closed: nothing else is read anywhere. */
export interface Config {
  readonly stack: string;
  readonly release: ReleaseConfig;
  readonly network: NetworkConfig;
  readonly log: LogConfig;
  readonly data: { readonly protect: boolean };
  readonly backup: BackupConfig;
  readonly app: AppConfig;
  readonly postgres: ServiceConfig;
  readonly redis: RedisConfig;
  readonly mlflow: MlflowConfig;
  readonly nginx: NginxConfig;
  readonly prometheus: PrometheusConfig;
  readonly exporters: { readonly image: string };
}

/** Which application image runs. */
export interface ReleaseConfig {
  /** Image tag; "" where the stack runs what is in `app/`. */
  readonly tag: string;
  /** Registry and path before the image name; "" for the host's own images. */
  readonly registry: string;
  /** Releases whose images are kept on the host, for rollbacks. */
  readonly keep: number;
  readonly gate: GateConfig;
  readonly canary: CanaryConfig;
}

/** What a new release has to show before it goes live. */
export interface GateConfig {
  /** Fresh requests that have to be answered by the new version, before the switch and after it. */
  readonly probes: number;
  /** Seconds that its containers have to become healthy. */
  readonly timeoutSeconds: number;
}

/** How a release is tried on a share of the traffic, and when it goes back. */
export interface CanaryConfig {
  /** Share of the requests, 1 to 99; 0 for none. */
  readonly percent: number;
  /** Seconds for which it is watched. */
  readonly seconds: number;
  /** Largest share of answers with a 5xx code, 0 to 1. */
  readonly maxErrorRate: number;
  /** Largest 95th percentile of the response time, as a multiple of the live version's. */
  readonly maxLatencyRatio: number;
}

/** Where the stack listens. */
export interface NetworkConfig {
  /** Address of the host on which ports are published. */
  readonly bindAddress: string;
}

/** Logs of all services. */
export interface LogConfig {
  readonly level: LogLevel;
  /** In Docker's notation, such as `10m`. */
  readonly maxSize: string;
  readonly maxFiles: number;
}

/** Verbosity of the services that have one. */
export type LogLevel = "debug" | "info" | "warning" | "error";

/** What every service has. */
export interface ServiceConfig {
  /** Image reference; "" builds the folder in `images/`. */
  readonly image: string;
  readonly resources: Resources;
}

export interface AppConfig {
  readonly resources: Resources;
  readonly replicas: number;
  /** Port of the host, 0 for none. */
  readonly hostPort: number;
  /** `image` runs the code in the image, `vsc` the code in the working folder. */
  readonly mode: "image" | "vsc";
  readonly shutdownGraceSeconds: number;
  readonly model: { readonly name: string; readonly alias: string };
  readonly cache: {
    /** Seconds. */
    readonly ttl: number;
    /** Entries. */
    readonly maxSize: number;
  };
}

export interface RedisConfig extends ServiceConfig {
  /** MiB. */
  readonly maxmemory: number;
  readonly maxmemoryPolicy: string;
}

export interface MlflowConfig extends ServiceConfig {
  readonly workers: number;
  /** Port of the host, 0 for none. */
  readonly hostPort: number;
}

export interface NginxConfig extends ServiceConfig {
  readonly httpPort: number;
  /** Only used with TLS. */
  readonly httpsPort: number;
  readonly tls: "off" | "self-signed";
  /** Host name under which users reach the stack. */
  readonly host: string;
}

export interface PrometheusConfig extends ServiceConfig {
  /** In Prometheus' notation, such as `15d`. */
  readonly retention: string;
  /** Port of the host, 0 for none. */
  readonly hostPort: number;
}

const PORT = { min: 1, max: 65535 };
const OPTIONAL_PORT = { min: 0, max: 65535 };
/** Docker's own limits: at least 6 MiB of memory and a hundredth of a CPU. */
const MEMORY = { min: 6 };
const CPUS = { min: 0.01 };

const EVICTION_POLICIES = [
  "noeviction",
  "allkeys-lru",
  "allkeys-lfu",
  "allkeys-random",
  "volatile-lru",
  "volatile-lfu",
  "volatile-random",
  "volatile-ttl",
] as const;

/**
 * Reads and checks the whole configuration of a stack. First the real environment and `.env`
 * (`TAG`, `REGISTRY`, `MODE`, `CACHE_TTL`, `CACHE_MAX_SIZE`), then the stack's own values, then the
 * defaults of `Pulumi.yaml`.
 *
 * @throws ConfigError naming every problem with its key and the command that fixes it.
 */
export function readConfig(source: ConfigSource): Config {
  const read = new ConfigReader(source);
  const config: Config = {
    stack: source.stack,
    release: readRelease(read),
    network: {
      bindAddress: read.pattern("bindAddress", /^[0-9a-fA-F.:]+$/, "an IP address"),
    },
    log: {
      level: read.oneOf("logLevel", ["info", "debug", "warning", "error"]),
      maxSize: read.pattern("logMaxSize", /^\d+[kmg]$/, "a size such as 10m"),
      maxFiles: read.integer("logMaxFiles", { min: 1, max: 100 }),
    },
    data: { protect: read.boolean("protectData") },
    backup: readBackup(read, readService(read, "backup")),
    app: {
      resources: readResources(read, "app"),
      replicas: read.integer("appReplicas", { min: 1, max: 32 }),
      hostPort: read.integer("appHostPort", OPTIONAL_PORT),
      mode: read.oneOf("mode", ["image", "vsc"], "MODE"),
      shutdownGraceSeconds: read.integer("appShutdownGraceSeconds", { min: 1, max: 600 }),
      model: {
        name: read.pattern("modelName", /^[\w.-]+$/, "a model name"),
        alias: read.pattern("modelAlias", /^[\w.-]+$/, "a model alias"),
      },
      cache: {
        ttl: read.integer("cacheTtl", { min: 0 }, "CACHE_TTL"),
        maxSize: read.integer("cacheMaxSize", { min: 0 }, "CACHE_MAX_SIZE"),
      },
    },
    postgres: readService(read, "postgres"),
    redis: {
      ...readService(read, "redis"),
      maxmemory: read.memory("redisMaxmemory", { min: 1 }),
      maxmemoryPolicy: read.oneOf("redisMaxmemoryPolicy", EVICTION_POLICIES),
    },
    mlflow: {
      ...readService(read, "mlflow"),
      workers: read.integer("mlflowWorkers", { min: 1, max: 8 }),
      hostPort: read.integer("mlflowHostPort", OPTIONAL_PORT),
    },
    nginx: {
      ...readService(read, "nginx"),
      httpPort: read.integer("httpPort", PORT),
      httpsPort: read.integer("httpsPort", PORT),
      tls: read.oneOf("tls", ["off", "self-signed"]),
      host: read.pattern("host", /^[A-Za-z0-9.-]+$/, "a host name"),
    },
    prometheus: {
      ...readService(read, "prometheus"),
      retention: read.pattern("prometheusRetention", /^\d+[hdwy]$/, "a time such as 15d"),
      hostPort: read.integer("prometheusHostPort", OPTIONAL_PORT),
    },
    exporters: { image: read.text("exportersImage") },
  };
  checkTogether(read, config);
  read.finish();
  return config;
}

function readRelease(read: ConfigReader): ReleaseConfig {
  const required = read.boolean("requireTag");
  const tag = read.pattern(
    "tag",
    // The grammar of image tags in the OCI distribution specification.
    /^$|^[A-Za-z0-9_][A-Za-z0-9._-]{0,127}$/,
    "an image tag such as v1.0.0",
    "TAG",
  );
  const registry = read.pattern(
    "registry",
    /^$|^[a-z0-9][A-Za-z0-9.:/_-]*[A-Za-z0-9]$/,
    "a registry such as registry.example.com/team",
    "REGISTRY",
  );
  const fix = `TAG=v1.0.0 ./mlops up --stack ${read.source.stack}`;
  if (required && tag === "")
    read.report("TAG", "is missing; this stack runs named releases only", fix);
  if (required && tag === "latest")
    read.report(
      "TAG",
      '"latest" is not a release: what it means changes, so nothing could go back to it',
      fix,
    );
  return {
    tag,
    registry,
    keep: read.integer("keepReleases", { min: 2, max: 100 }),
    gate: {
      probes: read.integer("gateProbes", { min: 1, max: 10_000 }),
      timeoutSeconds: read.integer("gateTimeout", { min: 1, max: 3600 }),
    },
    canary: {
      percent: Number(
        /^\d*/.exec(
          read.pattern("canary", /^(0|[1-9]\d?%)$/, "a share such as 10%, or 0", "CANARY"),
        )?.[0],
      ),
      seconds: read.integer("canarySeconds", { min: 1, max: 86_400 }),
      maxErrorRate: read.number("canaryMaxErrorRate", { min: 0 }),
      maxLatencyRatio: read.number("canaryMaxLatencyRatio", { min: 1 }),
    },
  };
}

function readService(read: ConfigReader, service: string): ServiceConfig {
  return {
    image: read.pattern(`${service}Image`, /^\S*$/, "an image reference"),
    resources: readResources(read, service),
  };
}

function readResources(read: ConfigReader, service: string): Resources {
  const resources = {
    cpus: read.number(`${service}Cpus`, CPUS),
    memory: read.memory(`${service}Memory`, MEMORY),
    cpuReservation: read.number(`${service}CpuReservation`, { min: 0 }),
    memoryReservation: read.memory(`${service}MemoryReservation`, { min: 0 }),
  };
  if (
    resources.memoryReservation > resources.memory &&
    read.sound(`${service}MemoryReservation`, `${service}Memory`)
  )
    read.report(
      `${service}MemoryReservation`,
      `is larger than ${service}Memory`,
      read.set(`${service}MemoryReservation`, `${resources.memory}MiB`),
    );
  return resources;
}

/** What only two values together can get wrong. */
function checkTogether(read: ConfigReader, config: Config): void {
  checkAlertAge(read, config.backup, config.prometheus.retention);
  if (
    config.redis.maxmemory > config.redis.resources.memory &&
    read.sound("redisMaxmemory", "redisMemory")
  )
    read.report(
      "redisMaxmemory",
      "is larger than redisMemory, so Redis would be killed before it evicts",
      read.set("redisMaxmemory", `${Math.floor(config.redis.resources.memory / 2)}MiB`),
    );
  const ports: [string, number][] = [
    ["httpPort", config.nginx.httpPort],
    ...(config.nginx.tls === "off"
      ? []
      : ([["httpsPort", config.nginx.httpsPort]] satisfies [string, number][])),
    ["appHostPort", config.app.hostPort],
    ["mlflowHostPort", config.mlflow.hostPort],
    ["prometheusHostPort", config.prometheus.hostPort],
  ];
  const taken = new Map<number, string>();
  for (const [key, port] of ports.filter(([key, port]) => port !== 0 && read.sound(key))) {
    const other = taken.get(port);
    if (other === undefined) taken.set(port, key);
    else read.report(key, `is ${port}, the same as ${other}`, read.set(key, String(port + 1)));
  }
  if (
    config.app.replicas > 1 &&
    config.app.hostPort !== 0 &&
    read.sound("appReplicas", "appHostPort")
  )
    read.report(
      "appHostPort",
      `cannot be published by ${config.app.replicas} replicas at once`,
      read.set("appHostPort", "0"),
    );
}
