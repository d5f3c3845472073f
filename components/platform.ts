import * as pulumi from "@pulumi/pulumi";
import type { Config } from "../config";
import { App } from "./app";
import type { StackContext } from "./context";
import { Image, imageSource, type ImageSource } from "./image";
import { Mlflow } from "./mlflow";
import { Networks } from "./networks";
import { Nginx } from "./nginx";
import { Postgres } from "./postgres";
import { Prometheus } from "./prometheus";
import { Redis } from "./redis";

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
    const image = (service: keyof ImageSources): pulumi.Output<string> =>
      new Image(`${name}-image-${service}`, { source: sources[service] }, child).imageId;
    const exporterImage = image("exporters");

    const postgres = new Postgres(
      `${name}-postgres`,
      { context, image: image("postgres"), exporterImage, config: config.postgres },
      child,
    );
    const redis = new Redis(
      `${name}-redis`,
      { context, image: image("redis"), exporterImage, config: config.redis },
      child,
    );
    const nginx = new Nginx(
      `${name}-nginx`,
      { context, image: image("nginx"), exporterImage, config: config.nginx },
      child,
    );
    const mlflow = new Mlflow(
      `${name}-mlflow`,
      {
        context,
        image: image("mlflow"),
        config: config.mlflow,
        database: postgres.mlflow,
        publicHosts: [new URL(nginx.url).host],
        after: [postgres.ready],
      },
      child,
    );
    this.version = appVersion(sources.app);
    const app = new App(
      `${name}-app`,
      {
        context,
        image: image("app"),
        version: this.version,
        config: config.app,
        logLevel: config.log.level,
        database: postgres.app,
        redisPassword: redis.password,
        mlflowUrl: mlflow.url,
        after: [postgres.ready, redis.ready, mlflow.ready],
      },
      child,
    );
    nginx.route(app.address, app.ready);
    new Prometheus(
      `${name}-prometheus`,
      {
        context,
        image: image("prometheus"),
        config: config.prometheus,
        targets: [
          { job: "app", host: "app", metrics: app.metrics, discover: true },
          { job: "mlflow", host: "mlflow", metrics: mlflow.metrics },
          ...[postgres.exporter, redis.exporter, nginx.exporter].map((exporter) => ({
            job: exporter.service,
            host: exporter.host,
            metrics: exporter.metrics,
          })),
        ],
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
    "app" | "postgres" | "redis" | "mlflow" | "nginx" | "prometheus" | "exporters",
    ImageSource
  >
>;

/** Images of a stack: those its configuration names, and folders of this project for the rest. */
export function imageSources(config: Config): ImageSources {
  const service = (name: keyof ImageSources, reference: string): ImageSource =>
    imageSource(`images/${name}`, `mlops-${name}`, reference);
  const { tag, registry } = config.release;
  const appName = registry === "" ? "mlops-app" : `${registry}/mlops-app`;
  return {
    app: imageSource("app", appName, tag === "" ? "" : `${appName}:${tag}`),
    postgres: service("postgres", config.postgres.image),
    redis: service("redis", config.redis.image),
    mlflow: service("mlflow", config.mlflow.image),
    nginx: service("nginx", config.nginx.image),
    prometheus: service("prometheus", config.prometheus.image),
    exporters: service("exporters", config.exporters.image),
  };
}

/** The tag of the app's image. */
function appVersion(source: ImageSource): string {
  return source.reference.slice(source.reference.lastIndexOf(":") + 1);
}
