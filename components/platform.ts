import * as pulumi from "@pulumi/pulumi";
import type { Config } from "../config";
import { App } from "./app";
import { Backup } from "./backup";
import { BackupStore } from "./backup-store";
import type { StackContext } from "./context";
import { Image, imageSource, type ImageSource } from "./image";
import { Mlflow } from "./mlflow";
import { Networks } from "./networks";
import { Nginx } from "./nginx";
import { Postgres } from "./postgres";
import { Prometheus } from "./prometheus";
import { Redis } from "./redis";
import { PresentPassword } from "./redis-access";
import { releaseReference, releaseRepository } from "./release-image";
import { Release, ReleaseCheck } from "./release";
import type { Release as LedgerRow } from "./ledger";

/** Arguments of {@link Platform}. */
export interface PlatformArgs {
  readonly config: Config;
}

/** The whole stack, and how its services fit together. */
export class Platform extends pulumi.ComponentResource {
  /** URL of the API. */
  readonly url: string;
  /** URL of MLflow's pages and the tracking URI of clients. */
  readonly mlflowUrl: string;
  /** What runs: the release's tag, or the content of `app/` where none was named. */
  readonly version: string;
  /** The ledger, newest release first. */
  readonly releases: pulumi.Output<readonly LedgerRow[]>;

  constructor(name: string, args: PlatformArgs, opts?: pulumi.ComponentResourceOptions) {
    super("mlops:platform:Platform", name, {}, opts);
    const { config } = args;
    const child = { parent: this };
    const networks = new Networks(name, { stack: config.stack }, child);
    const context: StackContext = {
      stack: config.stack,
      prefix: name,
      networks: networks.names,
      bindAddress: config.network.bindAddress,
      log: config.log,
      protectData: config.data.protect,
    };
    const sources = imageSources(config);
    const images = Object.fromEntries(
      Object.entries(sources).map(([service, source]) => [
        service,
        new Image(`${name}-image-${service}`, { source }, child).imageId,
      ]),
    ) as Record<keyof ImageSources, pulumi.Output<string>>;
    const { exporters: exporterImage, nginx: nginxImage } = images;
    const store = new BackupStore(
      `${name}-backup-store`,
      { context, filesImage: nginxImage, config: config.backup },
      child,
    );

    const postgres = new Postgres(
      `${name}-postgres`,
      { context, image: images.postgres, exporterImage, config: config.postgres, store },
      child,
    );
    const redis = new Redis(
      `${name}-redis`,
      { context, image: images.redis, exporterImage, config: config.redis },
      child,
    );
    const nginx = new Nginx(
      `${name}-nginx`,
      { context, image: nginxImage, exporterImage, config: config.nginx },
      child,
    );
    const mlflow = new Mlflow(
      `${name}-mlflow`,
      {
        context,
        image: images.mlflow,
        config: config.mlflow,
        database: postgres.mlflow,
        publicHosts: [new URL(nginx.url).host],
        after: [postgres.ready],
      },
      child,
    );
    this.version = appVersion(sources.app);
    const check = new ReleaseCheck(
      name,
      {
        stack: config.stack,
        tag: this.version,
        named: config.release.tag !== "",
        image: images.app,
      },
      child,
    );
    const app = new App(
      `${name}-app`,
      {
        context,
        image: images.app,
        filesImage: nginxImage,
        version: this.version,
        config: config.app,
        logLevel: config.log.level,
        database: postgres.app,
        redisPassword: redis.password,
        accepting: [postgres.ready, redis.ready],
        mlflowUrl: mlflow.url,
        after: [postgres.ready, redis.ready, mlflow.ready, check],
      },
      child,
    );
    const release = new Release(
      name,
      {
        stack: config.stack,
        version: this.version,
        image: images.app,
        check,
        migrationSeconds: app.migrationSeconds,
        containers: app.containers,
        generation: app.generation,
        nginx: nginx.containers,
        url: nginx.url,
        bindAddress: config.network.bindAddress,
        gate: config.release.gate,
        model: config.app.model.name,
        stopGraceSeconds: app.stopGraceSeconds,
        config: releaseConfig(config),
      },
      // Unlike most it needs a running nginx, in which nothing is half-way.
      { ...child, dependsOn: [nginx.ready] },
    );
    this.releases = release.ledger;
    const backup = new Backup(
      `${name}-backup`,
      {
        context,
        image: images.backup,
        filesImage: nginxImage,
        config: config.backup,
        store,
        sources: {
          mlflow: mlflow.artifacts,
          redis: redis.data,
          "app/data": app.folders.data,
          "app/models": app.folders.models,
        },
        postgres,
        superuserPassword: postgres.superuserPassword,
        redisPassword: redis.password,
        accepting: [postgres.ready, redis.ready],
        certificates: nginx.certificates,
        facts: { version: this.version, images, config: releaseConfig(config) },
      },
      child,
    );
    new PresentPassword(`${name}-redis-present`, redis.access, {
      ...child,
      dependsOn: [app, backup, redis.exporter],
    });
    new Prometheus(
      `${name}-prometheus`,
      {
        context,
        image: images.prometheus,
        config: config.prometheus,
        targets: [
          { job: "app", host: "app", metrics: app.metrics, discover: true },
          { job: "backup", host: "backup", metrics: backup.metrics },
          { job: "mlflow", host: "mlflow", metrics: mlflow.metrics },
          ...[postgres.exporter, redis.exporter, nginx.exporter].map((exporter) => ({
            job: exporter.service,
            host: exporter.host,
            metrics: exporter.metrics,
          })),
        ],
        alerts: { backup: config.backup },
      },
      child,
    );
    this.url = nginx.url;
    this.mlflowUrl = `${nginx.url}/mlflow/`;
    this.registerOutputs({ url: this.url, mlflowUrl: this.mlflowUrl, version: this.version });
  }
}

/** Where the image of every service comes from. */
export type ImageSources = Readonly<
  Record<
    "app" | "postgres" | "redis" | "mlflow" | "nginx" | "prometheus" | "exporters" | "backup",
    ImageSource
  >
>;

/** Images of a stack: those its configuration names, and folders of this project for the rest. */
export function imageSources(config: Config): ImageSources {
  const service = (name: keyof ImageSources, reference: string): ImageSource =>
    imageSource(`images/${name}`, `mlops-${name}`, reference);
  const { tag, registry } = config.release;
  return {
    app: imageSource(
      "app",
      releaseRepository(registry),
      tag === "" ? "" : releaseReference(registry, tag),
    ),
    postgres: service("postgres", config.postgres.image),
    redis: service("redis", config.redis.image),
    mlflow: service("mlflow", config.mlflow.image),
    nginx: service("nginx", config.nginx.image),
    prometheus: service("prometheus", config.prometheus.image),
    exporters: service("exporters", config.exporters.image),
    backup: service("backup", config.backup.image),
  };
}

/** What of the configuration belongs to a release of the app, and comes back with it. */
export function releaseConfig({ app, log }: Config): Readonly<Record<string, string>> {
  return {
    appReplicas: String(app.replicas),
    appCpus: String(app.resources.cpus),
    appMemory: `${app.resources.memory}MiB`,
    appCpuReservation: String(app.resources.cpuReservation),
    appMemoryReservation:
      app.resources.memoryReservation === 0 ? "0" : `${app.resources.memoryReservation}MiB`,
    appShutdownGraceSeconds: String(app.shutdownGraceSeconds),
    modelName: app.model.name,
    modelAlias: app.model.alias,
    cacheTtl: String(app.cache.ttl),
    cacheMaxSize: String(app.cache.maxSize),
    logLevel: log.level,
  };
}

/** The tag of the app's image. */
function appVersion(source: ImageSource): string {
  return source.reference.slice(source.reference.lastIndexOf(":") + 1);
}
