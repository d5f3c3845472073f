import * as command from "@pulumi/command";
import * as pulumi from "@pulumi/pulumi";
import type { ServiceConfig } from "../config";
import type { BackupStore } from "./backup-store";
import { Containers } from "./container";
import type { StackContext } from "./context";
import { Exporter } from "./exporter";
import { FilesVolume } from "./files";
import { provisionSql } from "./postgres-roles";
import { generatedPassword } from "./secret";
import type { FilesMount } from "./spec";
import { DataVolume } from "./volume";

/** Arguments of {@link Postgres}. */
export interface PostgresArgs {
  readonly context: StackContext;
  /** Image ID of PostgreSQL, with the contract of the official image. */
  readonly image: pulumi.Input<string>;
  /** Image ID of the metrics exporters. */
  readonly exporterImage: pulumi.Input<string>;
  readonly config: ServiceConfig;
  /** Where the write-ahead log is archived. */
  readonly store: BackupStore;
}

/** A database of its own with a role of its own. */
export interface Database {
  /** Name of the database and of the role that owns it. */
  readonly name: string;
  /** Generated password of the role. */
  readonly password: pulumi.Output<string>;
  /**
   * The server's container. With another one the database may be another as well, such as one that
   * was restored: what has been done to it is to be done again.
   */
  readonly server: pulumi.Output<string>;
}

/** The official image's own user. */
const USER = "999:999";

/**
 * PostgreSQL with one database and role for the app and one for MLflow, checksummed pages, and a
 * metrics exporter whose role can read statistics only. Reachable on the data network alone.
 */
export class Postgres extends pulumi.ComponentResource {
  /** The app's database. */
  readonly app: Database;
  /** MLflow's database. */
  readonly mlflow: Database;
  /**
   * Done when databases and roles are there with the present passwords: what connects depends on it,
   * and so do the files with a password. Where the server cannot take a new one nobody has it.
   */
  readonly ready: pulumi.Resource;
  readonly exporter: Exporter;
  /** Volume of the cluster. */
  readonly data: pulumi.Output<string>;
  /** The server's socket, where the operating system's word is enough. */
  readonly socket: FilesMount;
  /** Generated password of the superuser. */
  readonly superuserPassword: pulumi.Output<string>;

  constructor(name: string, args: PostgresArgs, opts?: pulumi.ComponentResourceOptions) {
    super("mlops:postgres:Postgres", name, {}, opts);
    const { context, config, store } = args;
    const password = (role: string): pulumi.Output<string> =>
      generatedPassword(`${name}-${role}-password`, { parent: this });
    const superuser = password("superuser");
    const metrics = password("metrics");

    const data = new DataVolume(
      `${name}-data`,
      { context, service: "postgres", purpose: "data" },
      { parent: this },
    );
    const secrets = new FilesVolume(
      `${name}-secrets`,
      {
        context,
        service: "postgres",
        image: args.image,
        user: USER,
        files: { postgres_password: superuser },
      },
      { parent: this },
    );
    const socket = new FilesVolume(
      `${name}-socket`,
      { context, service: "postgres", image: args.image, user: USER, files: {} },
      { parent: this },
    );
    this.data = data.volumeName;
    this.superuserPassword = superuser;
    this.socket = { volume: socket, path: "/run/postgresql", readOnly: false, replaces: false };
    const server = new Containers(
      name,
      {
        context,
        spec: {
          name: "postgres",
          image: args.image,
          user: USER,
          environment: {
            PGDATA: "/var/lib/postgresql/data/pgdata",
            POSTGRES_PASSWORD_FILE: "/run/secrets/postgres_password",
            // Passwords over the network, the operating system's word inside the container.
            POSTGRES_INITDB_ARGS: "--data-checksums --auth-host=scram-sha-256 --auth-local=peer",
            POSTGRES_HOST_AUTH_METHOD: "scram-sha-256",
          },
          // The archive may lie at most this far behind, in seconds.
          command: ["postgres", "-c", "archive_mode=on", "-c", "archive_timeout=60"],
          files: [
            // Read when the cluster is made; later the roles are set in the running server.
            { volume: secrets, path: "/run/secrets", replaces: false },
            this.socket,
            store.key,
          ],
          volumes: [
            { volume: data.volumeName, path: "/var/lib/postgresql/data" },
            ...store.volumes,
          ],
          hostFolders: store.hostFolders,
          tmpfs: [{ path: "/tmp" }],
          health: { command: ["pg_isready", "--quiet", "--host=127.0.0.1", "--username=postgres"] },
          resources: config.resources,
          networks: ["data", ...store.networks],
          update: "stop-first",
          // "Fast" shutdown: clients are sent away, nothing is lost, recovery is not needed.
          stopSignal: "SIGINT",
          stopGraceSeconds: 60,
        },
      },
      { parent: this },
    );
    const database = (of: string): Database => ({
      name: of,
      password: password(of),
      server: server.ids.apply(([id = ""]) => id),
    });
    this.app = database("mlops");
    this.mlflow = database("mlflow");
    this.ready = new command.local.Command(
      `${name}-roles`,
      {
        create: pulumi.interpolate`docker exec --interactive --user postgres ${server.names[0]} psql --quiet --no-psqlrc --set ON_ERROR_STOP=1`,
        stdin: provisionSql({
          owners: [this.app, this.mlflow],
          superuser: { name: "postgres", password: superuser },
          monitor: { name: "metrics", password: metrics },
        }),
        triggers: [server.ids],
        logging: command.local.Logging.None,
      },
      { parent: this },
    );
    this.exporter = new Exporter(
      `${name}-exporter`,
      {
        context,
        image: args.exporterImage,
        service: "postgres",
        command: ["prometheus-postgres-exporter"],
        port: 9187,
        environment: {
          DATA_SOURCE_URI: "postgres:5432/postgres?sslmode=disable",
          DATA_SOURCE_USER: "metrics",
          DATA_SOURCE_PASS_FILE: "/run/secrets/metrics_password",
        },
        secrets: { metrics_password: metrics },
        network: "data",
      },
      { parent: this, dependsOn: [this.ready] },
    );
    this.registerOutputs({});
  }
}
