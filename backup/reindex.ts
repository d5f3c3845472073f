import type { Agent } from "./agent";
import { parseManifest } from "./manifest";
import { MANIFEST_FILE, MANIFEST_TAG } from "./restic";

/**
 * Reads the manifests of all sets back from the repository where none are here: when a host is lost,
 * the repository is all there is. Must come before anything that takes what is in no list for litter.
 *
 * @throws Error when the repository cannot be read.
 */
export async function readIndexBack({
  sets,
  restic,
}: Pick<Agent, "sets" | "restic">): Promise<void> {
  const { sets: known, broken } = await sets.list();
  if (known.length > 0 || broken.length > 0) return;
  const snapshots = await restic.snapshots([MANIFEST_TAG]);
  if (snapshots.length === 0) return;
  for (const { id } of snapshots)
    await sets.write(parseManifest(await restic.read(id, `/${MANIFEST_FILE}`)));
  await sets.updateLatest();
}
