import { pgbackrestOptions, resticSettings } from "../../components/backup-tools";
import type { RepositoryConfig } from "../../config";

/** Keys that open a repository: of databases and of files. */
export interface RepositoryKeys {
  readonly pgbackrest: string;
  readonly restic: string;
}

const KEY = "key-of-a-test";

/** What opens a stack's repository, as the stack itself would write it; the key is a test's. */
export function repositoryKeys(
  stack: string,
  repository: RepositoryConfig,
  { pgbackrest = KEY, restic = KEY }: Partial<RepositoryKeys> = {},
): Record<string, string> {
  return {
    backup_key: restic,
    "restic.json": JSON.stringify(resticSettings(repository)),
    "pgbackrest.conf": [
      "[global]",
      `repo1-cipher-pass=${pgbackrest}`,
      pgbackrestOptions(stack, repository).trim(),
      // What is damaged does not get better in 20 seconds.
      "job-retry=0",
      "",
    ].join("\n"),
    ...(repository.type === "sftp"
      ? { ssh_key: repository.sshKey, known_hosts: repository.knownHosts }
      : {}),
  };
}
