import type { Manifest } from "../../backup/manifest";
import type { BackedUp } from "./backed-up";

/** Shell that finds the largest file of pgBackRest's newest backup, and its size. */
const LARGEST_OF_NEWEST_BACKUP = [
  "cd /v/repository/pgbackrest/backup/*/",
  "newest=$(ls -d 2*F | sort | tail -1)",
  'file=$(find "$newest/" -type f ! -name "backup.manifest*" -printf "%s %p\\n" | sort -n | tail -1 | cut -d" " -f2-)',
  'size=$(stat -c %s "$file")',
].join("\n");

/** Flips bytes in the middle of the largest file of pgBackRest's newest backup. */
export async function damageNewestBackup(world: BackedUp): Promise<void> {
  await world.shell(
    `${LARGEST_OF_NEWEST_BACKUP}\nprintf "damaged" | dd of="$file" bs=1 seek=$((size / 2)) conv=notrunc 2>/dev/null`,
  );
}

/** Cuts the second half off the same file. */
export async function truncateNewestBackup(world: BackedUp): Promise<void> {
  await world.shell(`${LARGEST_OF_NEWEST_BACKUP}\ntruncate --size=$((size / 2)) "$file"`);
}

/** Cuts the second half off each of restic's large files. */
export async function truncatePacks(world: BackedUp): Promise<void> {
  await world.shell(
    'find /v/repository/restic/data -type f -size +1M | while read -r file; do truncate --size=$(($(stat -c %s "$file") / 2)) "$file"; done',
  );
}

/** Fills the repository's disk, but for so many bytes. */
export async function fillRepository(world: BackedUp, leave: number): Promise<void> {
  await world.shell(
    [
      "free=$(($(stat --file-system --format='%a * %S' /v/repository)))",
      `fallocate --length $((free - ${leave})) /v/repository/ballast`,
    ].join("\n"),
  );
}

/** Gives that room back. */
export async function emptyRepository(world: BackedUp): Promise<void> {
  await world.shell("rm /v/repository/ballast");
}

/** Adds an artifact to MLflow's that is like no other. */
export async function addArtifact(world: BackedUp, name: string, mebibytes: number): Promise<void> {
  await world.shell(`head -c ${mebibytes}M /dev/urandom > /v/mlflow/1/${name}`);
}

export async function removeArtifact(world: BackedUp, name: string): Promise<void> {
  await world.shell(`rm /v/mlflow/1/${name}`);
}

/** Puts a set into the list, whatever it names. */
export async function writeSet(world: BackedUp, manifest: Manifest): Promise<void> {
  const folder = `/v/repository/sets/${manifest.set}`;
  await world.shell(`mkdir ${folder}; cat > ${folder}/manifest.json`, JSON.stringify(manifest));
}
