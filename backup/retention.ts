import type { Manifest } from "./manifest";
import type { Retention } from "./settings";
import { newestGood } from "./sets";

/**
 * Sets that the policy lets go of: of each of the newest days, weeks and months that have a good set
 * it keeps the newest one. The newest good set of all is kept whatever policy and clock say, and so is
 * every other one of its day, and everything newer: what is not good goes only when something better
 * came after it.
 *
 * @param sets all of them, oldest first.
 */
export function expiredSets(sets: readonly Manifest[], retention: Retention): readonly Manifest[] {
  const newest = newestGood(sets);
  if (newest === undefined) return [];
  const good = sets.filter(({ complete, verified }) => complete && verified).toReversed();
  const kept = new Set<Manifest>([newest]);
  const periods: readonly (readonly [number, (finishedAt: Date) => string])[] = [
    [retention.daily, dayOf],
    [retention.weekly, weekOf],
    [retention.monthly, monthOf],
  ];
  for (const [count, periodOf] of periods) {
    const seen = new Set<string>();
    for (const manifest of good) {
      const period = periodOf(new Date(manifest.finishedAt));
      if (seen.has(period) || seen.size === count) continue;
      seen.add(period);
      kept.add(manifest);
    }
  }
  const day = dayOf(new Date(newest.finishedAt));
  return sets.filter(
    (manifest) =>
      manifest.sequence < newest.sequence &&
      !kept.has(manifest) &&
      dayOf(new Date(manifest.finishedAt)) !== day,
  );
}

const dayOf = (date: Date): string => date.toISOString().slice(0, 10);

const monthOf = (date: Date): string => date.toISOString().slice(0, 7);

/** The Monday that the week begins with, as in ISO 8601. */
function weekOf(date: Date): string {
  const monday = new Date(date);
  monday.setUTCDate(date.getUTCDate() - ((date.getUTCDay() + 6) % 7));
  return dayOf(monday);
}
