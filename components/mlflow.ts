import * as pulumi from "@pulumi/pulumi";
import type { MlflowConfig } from "../config";
import { Containers } from "./container";
import type { StackContext } from "./context";
import { FilesVolume } from "./files";
import { Job } from "./job";
import type { Database } from "./postgres";
import type { MetricsEndpoint, ServiceSpec } from "./spec";
import { DataVolume } from "./volume";

/** Arguments of {@link Mlflow}. */
export interface MlflowArgs {
  readonly context: StackContext;
  /** Image ID of MLflow. */
  readonly image: pulumi.Input<string>;
  readonly config: MlflowConfig;
  /** Where experiments and registered models are recorded. */
  readonly database: Database;
  /** `host` or `host:port` under which browsers and clients outside reach the stack. */
  readonly publicHosts: readonly string[];
  /** What must answer, and accept the password, before MLflow may start; see `AppArgs.after`. */
  readonly after: readonly pulumi.Resource[];
}

const USER = "10001:10001";
const PORT = 5000;
const STOP_GRACE_SECONDS = 30;

/**
 * MLflow's tracking server and model registry: records in Postgres, artifacts on a named volume
 * and only through the server, requests for known host names only.
 */
export class Mlflow extends pulumi.ComponentResource {
  /** Base URL for clients inside the stack. */
  readonly url = `http://mlflow:${PORT}`;
  readonly metrics: MetricsEndpoint = { port: PORT };
  /** Done when the server answers. */
  readonly ready: pulumi.Resource;
  /** Volume of the artifacts. */
  readonly artifacts: pulumi.Output<string>;

  constructor(name: string, args: MlflowArgs, opts?: pulumi.ComponentResourceOptions) {
    super("mlops:mlflow:Mlflow", name, {}, opts);
    const { context, config, database } = args;
    const artifacts = new DataVolume(
      `${name}-artifacts`,
      { context, service: "mlflow", purpose: "artifacts" },
      { parent: this },
    );
    this.artifacts = artifacts.volumeName;
    const secrets = new FilesVolume(
      `${name}-secrets`,
      {
        context,
        service: "mlflow",
        image: args.image,
        user: USER,
        files: {
          pgpass: pulumi.interpolate`postgres:5432:${database.name}:${database.name}:${database.password}\n`,
        },
      },
      { parent: this, dependsOn: [...args.after] },
    );
    const storeUri = `postgresql://${database.name}@postgres:5432/${database.name}`;
    const spec: ServiceSpec = {
      name: "mlflow",
      image: args.image,
      user: USER,
      command: [
        "mlflow",
        "server",
        "--host=0.0.0.0",
        `--port=${PORT}`,
        `--workers=${config.workers}`,
        `--backend-store-uri=${storeUri}`,
        "--serve-artifacts",
        "--artifacts-destination=/mlflow/artifacts",
        "--default-artifact-root=mlflow-artifacts:/",
        `--allowed-hosts=${allowedHosts(args).join(",")}`,
        `--cors-allowed-origins=${args.publicHosts.flatMap((host) => [`http://${host}`, `https://${host}`]).join(",")}`,
        "--expose-prometheus=/run/mlflow",
        `--uvicorn-opts=--timeout-graceful-shutdown=${STOP_GRACE_SECONDS - 5}`,
      ],
      environment: {
        // libpq reads the password from the file, so that no URI contains it.
        PGPASSFILE: "/run/secrets/pgpass",
      },
      // Read for each connection.
      files: [{ volume: secrets, path: "/run/secrets", replaces: false }],
      volumes: [{ volume: artifacts.volumeName, path: "/mlflow/artifacts" }],
      tmpfs: [{ path: "/tmp", size: 256 }, { path: "/run/mlflow" }],
      health: {
        command: [..."busybox wget -q -O /dev/null".split(" "), `http://127.0.0.1:${PORT}/health`],
      },
      resources: config.resources,
      networks: ["application", "data"],
      ports: [{ container: PORT, host: config.hostPort }],
      update: "stop-first",
      stopGraceSeconds: STOP_GRACE_SECONDS,
    };
    const schema = new Job(
      `${name}-schema`,
      {
        context,
        spec,
        task: "schema",
        command: ["mlflow", "db", "upgrade", storeUri],
        network: "data",
        subject: database.server,
      },
      { parent: this, dependsOn: [...args.after] },
    );
    this.ready = new Containers(name, { context, spec }, { parent: this, dependsOn: [schema] });
    this.registerOutputs({ url: this.url });
  }
}

/** Host headers that MLflow answers; the list replaces its own, so it must be whole. */
function allowedHosts(args: MlflowArgs): string[] {
  const own = [`mlflow:${PORT}`, `127.0.0.1:${PORT}`, `localhost:${PORT}`];
  const direct =
    args.config.hostPort === 0
      ? []
      : [`localhost:${args.config.hostPort}`, `127.0.0.1:${args.config.hostPort}`];
  return [...new Set([...own, ...direct, ...args.publicHosts])];
}
