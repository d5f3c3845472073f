import type { Agent } from "./agent";
import type { Report } from "./events";
import { unlessSetsAreKept } from "./lock";
import { expiredSets } from "./retention";

/**
 * Removes the sets that the policy lets go of: first from the list, so that nobody chooses one that is
 * half gone, then from the repositories. What a killed run left there of sets that are in no list goes
 * with them. While a drill reads a set, all of that waits for the next backup.
 */
export async function expireSets(agent: Agent, report: Report): Promise<void> {
  const isDone = await unlessSetsAreKept(agent.places, () => removeExpired(agent, report));
  if (isDone) return;
  await report.step("retention", (doing) => {
    doing("left to the next backup, since a drill runs");
    return Promise.resolve();
  });
}

async function removeExpired(
  { settings, sets, restic, pgbackrest }: Agent,
  report: Report,
): Promise<void> {
  const expired = expiredSets(await sets.own(), settings.retention);
  for (const { set } of expired) await sets.remove(set);
  // Sets that cannot be read are not for this to judge.
  const { sets: left, broken } = await sets.list();
  const kept = new Set([...left, ...broken].map(({ set }) => set));
  const setOf = (tags: readonly string[] = []): string | undefined =>
    tags.find((tag) => tag.startsWith("set:"))?.slice("set:".length);
  const snapshots = (await restic.snapshots([])).filter(({ tags }) => {
    const set = setOf(tags);
    return set !== undefined && !kept.has(set);
  });
  const backups = (await pgbackrest.backups()).filter(({ annotation }) => {
    const set = annotation?.["set"];
    return set !== undefined && !kept.has(set);
  });
  if (snapshots.length === 0 && backups.length === 0) return;
  await report.step("retention", async (doing) => {
    doing(`removing ${expired.map(({ set }) => set).join(", ")}`);
    await restic.forget(snapshots.map(({ id }) => id));
    for (const { label } of backups) await pgbackrest.expire(label);
  });
}
