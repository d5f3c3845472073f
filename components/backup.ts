import * as pulumi from "@pulumi/pulumi";
import { AGENT_PORT, agentSettings, type StackFacts } from "../backup/settings";
import type { BackupConfig } from "../config";
import type { BackupStore } from "./backup-store";
import { Containers } from "./container";
import type { StackContext } from "./context";
import { FilesVolume } from "./files";
import { ScratchVolume } from "./scratch-volume";
import type { FilesMount, MetricsEndpoint, VolumeMount } from "./spec";

/** Arguments of {@link Backup}. */
export interface BackupArgs {
  readonly context: StackContext;
  /** Image ID of the agent and its tools. */
  readonly image: pulumi.Input<string>;
  /** Image ID that writes the files: not the agent's, which changes more often. */
  readonly filesImage: pulumi.Input<string>;
  readonly config: BackupConfig;
  readonly store: BackupStore;
  /** Data of the services, by the folder below `/source` in which it is read. */
  readonly sources: Readonly<Record<string, pulumi.Input<string>>>;
  /** Data and socket of Postgres. */
  readonly postgres: { readonly data: pulumi.Input<string>; readonly socket: FilesMount };
  readonly superuserPassword: pulumi.Output<string>;
  readonly redisPassword: pulumi.Output<string>;
  /** What accepts these passwords before the agent is given them. */
  readonly accepting: readonly pulumi.Resource[];
  /** Key and certificate of nginx; undefined without TLS. */
  readonly certificates: FilesMount | undefined;
  /** What the stack is made of. */
  readonly facts: {
    readonly version: string;
    readonly images: Readonly<Record<string, pulumi.Input<string>>>;
    readonly config: Readonly<Record<string, string>>;
  };
}

/**
 * Root, which may do no more than the few things it is given back: it reads what belongs to many
 * users, and the tools of Postgres run as the server's own.
 */
const USER = "0:0";

/**
 * The service that makes backups, by schedule or when it is asked to, and tries whether they can be
 * restored. It reads all data, mounted read-only, and writes none but the repository and what a drill
 * restores; restores that are to go live are made by other containers.
 */
export class Backup extends pulumi.ComponentResource {
  readonly metrics: MetricsEndpoint = { port: AGENT_PORT };

  constructor(name: string, args: BackupArgs, opts?: pulumi.ComponentResourceOptions) {
    super("mlops:backup:Backup", name, {}, opts);
    const { context, config, store, facts } = args;
    const files = (
      purpose: string,
      content: Record<string, pulumi.Input<string>>,
      after: readonly pulumi.Resource[] = [],
    ): FilesVolume =>
      new FilesVolume(
        `${name}-${purpose}`,
        { context, service: "backup", image: args.filesImage, user: USER, files: content },
        { parent: this, dependsOn: [...after] },
      );
    const settings = files("config", {
      "backup.json": JSON.stringify(agentSettings(context.stack, config)),
    });
    const secrets = files(
      "secrets",
      { postgres_password: args.superuserPassword, redis_password: args.redisPassword },
      args.accepting,
    );
    const stack = files("stack", {
      "stack.json": pulumi.output(facts.images).apply((images) =>
        JSON.stringify({
          stack: context.stack,
          version: facts.version,
          images,
          config: facts.config,
        } satisfies StackFacts),
      ),
    });
    const scratch = new ScratchVolume(
      `${name}-scratch`,
      { context, service: "backup" },
      { parent: this },
    );
    const source = (folder: string, volume: pulumi.Input<string>): VolumeMount => ({
      volume,
      path: `/source/${folder}`,
      readOnly: true,
    });
    new Containers(
      name,
      {
        context,
        spec: {
          name: "backup",
          image: args.image,
          user: USER,
          capabilities: [
            { name: "CHOWN", reason: "gives what a drill restores to its owners" },
            {
              name: "DAC_OVERRIDE",
              reason: "reads the files of all services, and writes those that a drill restores",
            },
            { name: "FOWNER", reason: "sets modes and times of what has other owners then" },
            { name: "SETGID", reason: "runs pgBackRest as the group of Postgres" },
            { name: "SETUID", reason: "runs pgBackRest as the user of Postgres" },
          ],
          command: ["agent", "serve"],
          files: [
            { volume: settings, path: "/etc/mlops" },
            // Both are read anew by each backup.
            { volume: secrets, path: "/run/secrets", replaces: false },
            { volume: stack, path: "/source/stack", replaces: false },
            store.key,
            args.postgres.socket,
            ...(args.certificates === undefined
              ? []
              : [{ ...args.certificates, path: "/source/tls", replaces: false }]),
          ],
          volumes: [
            { volume: args.postgres.data, path: "/var/lib/postgresql/data", readOnly: true },
            ...Object.entries(args.sources).map(([folder, volume]) => source(folder, volume)),
            ...store.volumes,
            { volume: scratch.volumeName, path: "/scratch" },
          ],
          hostFolders: store.hostFolders,
          tmpfs: [{ path: "/tmp", size: 256, mode: "1777" }],
          health: {
            command: [
              ..."busybox wget -q -O /dev/null".split(" "),
              `http://127.0.0.1:${AGENT_PORT}/healthz`,
            ],
          },
          resources: config.resources,
          networks: ["application", "data", ...store.networks],
          update: "stop-first",
          stopGraceSeconds: 15,
        },
      },
      { parent: this },
    );
    this.registerOutputs({});
  }
}
