import { createHash } from "node:crypto";
import { resolve } from "node:path";
import * as pulumi from "@pulumi/pulumi";
import type { AppConfig, LogLevel } from "../config";
import { Containers } from "./container";
import type { StackContext } from "./context";
import { FilesVolume } from "./files";
import { Job } from "./job";
import type { Database } from "./postgres";
import { generatedPassword } from "./secret";
import type { MetricsEndpoint, ServiceSpec, VolumeMount } from "./spec";
import { DataVolume } from "./volume";

/** Arguments of {@link App}. */
export interface AppArgs {
  readonly context: StackContext;
  /** Image ID of the release. */
  readonly image: pulumi.Input<string>;
  /** Image ID that writes the secrets: not the release's, or each release would write them anew. */
  readonly filesImage: pulumi.Input<string>;
  /** The release's tag: what the API answers as its version. */
  readonly version: string;
  readonly config: AppConfig;
  readonly logLevel: LogLevel;
  /** Where predictions are logged. */
  readonly database: Database;
  /** Password of Redis. */
  readonly redisPassword: pulumi.Output<string>;
  /** What accepts these passwords before the app is given them. */
  readonly accepting: readonly pulumi.Resource[];
  /** Base URL of MLflow. */
  readonly mlflowUrl: string;
  /**
   * What must answer before the app may start. Not the component's `dependsOn`: its data volumes
   * would inherit that, and keep what they do not need.
   */
  readonly after: readonly pulumi.Resource[];
}

const USER = "10001:10001";
const PORT = 8000;

/** Folders of the image whose content outlives its containers. */
const FOLDERS = ["data", "logs", "models", "cache"] as const;

/** The working folder in development, beside {@link FOLDERS}. */
const SOURCE_FOLDER = "app";

/**
 * The model API. New containers start beside the old ones; `Release` lets them go live once they
 * have passed its gate, and only then are the old ones stopped.
 */
export class App extends pulumi.ComponentResource {
  readonly metrics: MetricsEndpoint = { port: PORT };
  /** Docker IDs of the containers, which have been started but need not be healthy yet. */
  readonly containers: pulumi.Output<string[]>;
  /** The name after `app-` under which only these containers answer on the application network. */
  readonly generation: pulumi.Output<string>;
  /** Volumes of the folders, by their names. */
  readonly folders: Readonly<Record<(typeof FOLDERS)[number], pulumi.Output<string>>>;
  /** Seconds that the migration took. */
  readonly migrationSeconds: pulumi.Output<number>;
  /** Seconds between the signal to stop and SIGKILL. */
  readonly stopGraceSeconds: number;

  constructor(name: string, args: AppArgs, opts?: pulumi.ComponentResourceOptions) {
    super("mlops:app:App", name, {}, opts);
    const { context, config } = args;
    const secretKey = generatedPassword(`${name}-secret-key`, { parent: this });
    const secrets = new FilesVolume(
      `${name}-secrets`,
      {
        context,
        service: "app",
        image: args.filesImage,
        user: USER,
        files: {
          postgres_password: args.database.password,
          redis_password: args.redisPassword,
          secret_key: secretKey,
        },
      },
      { parent: this, dependsOn: [...args.accepting] },
    );
    const folder = (purpose: string): pulumi.Output<string> =>
      new DataVolume(`${name}-${purpose}`, { context, service: "app", purpose }, { parent: this })
        .volumeName;
    this.folders = {
      data: folder("data"),
      logs: folder("logs"),
      models: folder("models"),
      cache: folder("cache"),
    };
    const volumes = FOLDERS.map((name): VolumeMount => ({
      volume: this.folders[name],
      path: `/app/${name}`,
    }));
    const spec: ServiceSpec = {
      name: "app",
      image: args.image,
      user: USER,
      command: ["serve"],
      environment: environment(args),
      // Passwords are read for each connection; the key, which is not, is part of the generation.
      files: [{ volume: secrets, path: "/run/secrets", replaces: false }],
      volumes,
      ...(config.mode === "vsc"
        ? { hostFolders: [{ source: resolve(SOURCE_FOLDER), path: "/app" }] }
        : {}),
      tmpfs: [{ path: "/tmp", size: 256 }],
      health: { command: ["healthcheck"] },
      resources: config.resources,
      networks: ["application", "data"],
      ports: [{ container: PORT, host: config.hostPort }],
      update: config.hostPort === 0 ? "start-first" : "stop-first",
      stopGraceSeconds: config.shutdownGraceSeconds + 5,
    };
    const migrate = new Job(
      `${name}-migrate`,
      {
        context,
        spec,
        task: "migrate",
        command: ["migrate"],
        network: "data",
        subject: args.database.server,
      },
      { parent: this, dependsOn: [...args.after] },
    );
    const generation = generationOf(spec, secretKey);
    const containers = new Containers(
      name,
      {
        context,
        spec,
        replicas: config.replicas,
        // The gate waits, and knows sooner than the provider when there is nothing to wait for.
        wait: false,
        labels: { "mlops.version": args.version, "mlops.generation": generation },
        aliases: { application: pulumi.interpolate`app-${generation}` },
      },
      { parent: this, dependsOn: [migrate] },
    );
    this.containers = containers.ids;
    this.generation = generation;
    this.migrationSeconds = migrate.seconds;
    this.stopGraceSeconds = spec.stopGraceSeconds;
    this.registerOutputs({ containers: this.containers, generation: this.generation });
  }
}

function environment(args: AppArgs): Record<string, string> {
  const { config, database } = args;
  return {
    APP_VERSION: args.version,
    LOG_LEVEL: args.logLevel,
    PORT: String(PORT),
    RELOAD: String(config.mode === "vsc"),
    SHUTDOWN_GRACE_SECONDS: String(config.shutdownGraceSeconds),
    DATABASE_URL: `postgresql://${database.name}@postgres:5432/${database.name}`,
    DATABASE_PASSWORD_FILE: "/run/secrets/postgres_password",
    REDIS_URL: "redis://redis:6379/0",
    REDIS_PASSWORD_FILE: "/run/secrets/redis_password",
    SECRET_KEY_FILE: "/run/secrets/secret_key",
    MLFLOW_TRACKING_URI: args.mlflowUrl,
    MODEL_NAME: config.model.name,
    MODEL_ALIAS: config.model.alias,
    CACHE_TTL: String(config.cache.ttl),
    CACHE_MAX_SIZE: String(config.cache.maxSize),
  };
}

/**
 * Names a set of equal containers by what they are made of, so that requests can be sent to the new
 * ones alone while the old ones still run. Changes whenever the containers are replaced.
 */
function generationOf(spec: ServiceSpec, secretKey: pulumi.Output<string>): pulumi.Output<string> {
  const { environment, resources, health, volumes, hostFolders } = spec;
  const digest = pulumi
    .all([
      spec.image,
      secretKey,
      pulumi.output({ environment, resources, health, volumes, hostFolders }),
    ])
    .apply((parts) => createHash("sha256").update(JSON.stringify(parts)).digest("hex").slice(0, 8));
  // 32 bits of a digest say nothing of a key of 190.
  return pulumi.unsecret(digest);
}
