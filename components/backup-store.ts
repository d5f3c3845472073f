import * as pulumi from "@pulumi/pulumi";
import type { BackupConfig, RepositoryConfig } from "../config";
import { KEY_FOLDER, pgbackrestOptions, REPOSITORY_FOLDER, resticSettings } from "./backup-tools";
import type { StackContext } from "./context";
import { FilesVolume } from "./files";
import { generatedPassword } from "./secret";
import type { FilesMount, FilledVolume, HostFolder, NetworkName, VolumeMount } from "./spec";
import { DataVolume } from "./volume";

/** Arguments of {@link BackupStore}. */
export interface BackupStoreArgs {
  readonly context: StackContext;
  /** Image ID that writes the files: any with `sh` and coreutils. */
  readonly filesImage: pulumi.Input<string>;
  readonly config: BackupConfig;
}

/** The server's user, as whom pgBackRest runs. */
const USER = "999:999";

/**
 * The repository of backups, and the key to it, for those who write there: Postgres, segment by
 * segment, and the backup service. Both outlive the stack like any data. The key that the volume has
 * already stays whatever the stack's state says, so that backups are not lost with a state.
 */
export class BackupStore extends pulumi.ComponentResource {
  /** Key and configuration of the tools. They read it each time they run. */
  readonly key: FilesMount;
  /** The repository where it is a volume; else the volume of its index, or none. */
  readonly volumes: readonly VolumeMount[];
  /** The repository where it is a folder of the host. */
  readonly hostFolders: readonly HostFolder[];
  /** Networks that lead to the repository. */
  readonly networks: readonly NetworkName[];

  constructor(name: string, args: BackupStoreArgs, opts?: pulumi.ComponentResourceOptions) {
    super("mlops:backup:BackupStore", name, {}, opts);
    const { context, config } = args;
    const { repository } = config;
    const data = (purpose: string): pulumi.Output<string> =>
      new DataVolume(
        `${name}-${purpose}`,
        { context, service: "backup", purpose },
        { parent: this },
      ).volumeName;
    const isFolder = repository.type === "folder";
    this.volumes = isFolder ? [] : [{ volume: data("repository"), path: REPOSITORY_FOLDER }];
    this.hostFolders = isFolder ? [{ source: repository.path, path: REPOSITORY_FOLDER }] : [];
    this.networks = ["sftp", "s3"].includes(repository.type) ? ["public"] : [];
    const generated = generatedPassword(`${name}-generated-key`, { parent: this });
    const volume: FilledVolume = new FilesVolume(
      `${name}-files`,
      {
        context,
        service: "backup",
        image: args.filesImage,
        user: USER,
        volume: data("key"),
        mounts: [...this.volumes, ...this.hostFolders],
        files: {
          given_key: config.key === "" ? generated : pulumi.secret(config.key),
          "pgbackrest.options": pgbackrestOptions(context.stack, repository),
          "restic.json": JSON.stringify(resticSettings(repository)),
          ...credentials(repository),
        },
        prepare: prepareScript(config.key !== ""),
      },
      { parent: this },
    );
    this.key = { volume, path: KEY_FOLDER, replaces: false };
    this.registerOutputs({});
  }
}

/**
 * Settles the key, writes pgBackRest's configuration with it, and makes the repository's folders:
 * those who use them may not.
 *
 * @param isGiven whether the configuration names the key; it is not replaced by another then.
 */
function prepareScript(isGiven: boolean): string {
  return [
    "if [ ! -s backup_key ]; then mv -f given_key backup_key",
    ...(isGiven
      ? [
          "elif ! cmp -s given_key backup_key; then rm -f given_key",
          `echo "backupKey is not the key that this stack's backups were made with. Take it out (pulumi config rm backupKey), or set it to that one: ./mlops backups --key shows it." >&2`,
          "exit 1",
        ]
      : []),
    "fi",
    "rm -f given_key",
    `{ printf '[global]\\nrepo1-cipher-pass=%s\\n' "$(cat backup_key)"; cat pgbackrest.options; } > .pgbackrest.conf`,
    `chmod 0400 .pgbackrest.conf; chown ${USER} .pgbackrest.conf; mv -f .pgbackrest.conf pgbackrest.conf`,
    `mkdir -p ${REPOSITORY_FOLDER}/sets ${REPOSITORY_FOLDER}/stack ${REPOSITORY_FOLDER}/restic ${REPOSITORY_FOLDER}/pgbackrest`,
    `chmod 0711 ${REPOSITORY_FOLDER}; chmod 0700 ${REPOSITORY_FOLDER}/stack ${REPOSITORY_FOLDER}/restic`,
    `chown ${USER} ${REPOSITORY_FOLDER}/pgbackrest; chmod 0750 ${REPOSITORY_FOLDER}/pgbackrest`,
  ].join("\n");
}

function credentials(repository: RepositoryConfig): Record<string, pulumi.Input<string>> {
  switch (repository.type) {
    case "volume":
    case "folder":
      return {};
    case "sftp":
      return {
        ssh_key: pulumi.secret(`${repository.sshKey.trim()}\n`),
        known_hosts: `${repository.knownHosts.trim()}\n`,
      };
    case "s3":
      return {
        aws_credentials: pulumi.secret(
          `[default]\naws_access_key_id=${repository.accessKey}\naws_secret_access_key=${repository.secretKey}\n`,
        ),
        ...(repository.ca === "" ? {} : { "ca.pem": `${repository.ca.trim()}\n` }),
      };
  }
}
