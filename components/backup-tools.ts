import type { ResticSettings } from "../backup/restic";
import type { RepositoryConfig } from "../config";

/** Where everything is mounted that has to do with the repository. */
export const KEY_FOLDER = "/run/backup";
export const REPOSITORY_FOLDER = "/backup";

/**
 * What stands below `[global]` in pgBackRest's configuration, but for the key; see
 * https://pgbackrest.org/configuration.html.
 */
export function pgbackrestOptions(stack: string, repository: RepositoryConfig): string {
  return [
    ...pgbackrestRepository(repository),
    "repo1-cipher-type=aes-256-cbc",
    "repo1-bundle=y",
    "repo1-block=y",
    // Sets go one by one, when the policy lets go of them; and with them what only they needed.
    "repo1-retention-full=9999999",
    "repo1-retention-archive-type=full",
    "repo1-retention-archive=9999999",
    "compress-type=zst",
    "start-fast=y",
    "lock-path=/tmp/pgbackrest",
    "log-level-file=off",
    "",
    `[${stack}]`,
    "pg1-path=/var/lib/postgresql/data/pgdata",
    "pg1-socket-path=/run/postgresql",
    "pg1-user=postgres",
    "",
  ].join("\n");
}

function pgbackrestRepository(repository: RepositoryConfig): string[] {
  switch (repository.type) {
    case "volume":
    case "folder":
      return ["repo1-type=posix", `repo1-path=${REPOSITORY_FOLDER}/pgbackrest`];
    case "sftp":
      return [
        "repo1-type=sftp",
        `repo1-path=${repository.path}/pgbackrest`,
        `repo1-sftp-host=${repository.host}`,
        `repo1-sftp-host-port=${repository.port}`,
        `repo1-sftp-host-user=${repository.user}`,
        `repo1-sftp-private-key-file=${KEY_FOLDER}/ssh_key`,
        `repo1-sftp-known-host=${KEY_FOLDER}/known_hosts`,
        "repo1-sftp-host-key-hash-type=sha256",
      ];
    case "s3":
      return [
        "repo1-type=s3",
        `repo1-path=/${joined(repository.path, "pgbackrest")}`,
        `repo1-s3-bucket=${repository.bucket}`,
        `repo1-s3-endpoint=${repository.host}`,
        `repo1-storage-port=${repository.port}`,
        `repo1-s3-region=${repository.region}`,
        "repo1-s3-uri-style=path",
        `repo1-s3-key=${repository.accessKey}`,
        `repo1-s3-key-secret=${repository.secretKey}`,
        ...(repository.ca === "" ? [] : [`repo1-storage-ca-file=${KEY_FOLDER}/ca.pem`]),
      ];
  }
}

/** Where restic finds the repository. */
export function resticSettings(repository: RepositoryConfig): ResticSettings {
  switch (repository.type) {
    case "volume":
    case "folder":
      return { repository: `${REPOSITORY_FOLDER}/restic` };
    case "sftp":
      return {
        repository: `sftp:${repository.user}@${repository.host}:${repository.path}/restic`,
        sftpArgs: `-p ${repository.port} -i ${KEY_FOLDER}/ssh_key -o UserKnownHostsFile=${KEY_FOLDER}/known_hosts -o BatchMode=yes`,
      };
    case "s3":
      return {
        repository: `s3:https://${repository.host}:${repository.port}/${repository.bucket}/${joined(repository.path, "restic")}`,
        ...(repository.ca === "" ? {} : { caFile: `${KEY_FOLDER}/ca.pem` }),
      };
  }
}

const joined = (...parts: readonly string[]): string =>
  parts.filter((part) => part !== "").join("/");
