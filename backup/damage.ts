import { messageOf } from "../cli/errors";
import type { Agent } from "./agent";
import { sealManifest, type Manifest } from "./manifest";

const DAMAGE = "verify: ";

/** The problem of a set that is not what had been written, when it was read back. */
export const damageOf = (error: unknown): string => `${DAMAGE}${messageOf(error)}`;

export const isDamaged = (set: Manifest): boolean =>
  set.problems.some((problem) => problem.startsWith(DAMAGE));

/** Writes down that a set is damaged; the newest that is not takes its place. */
export async function markDamaged(
  { sets }: Pick<Agent, "sets">,
  set: Manifest,
  error: unknown,
): Promise<string | undefined> {
  const problems = [...set.problems, damageOf(error)];
  await sets.write(sealManifest({ ...set, verified: false, problems }));
  return sets.updateLatest();
}

/**
 * Marks the sets of which files are missing that could not be saved anew, since they are not there
 * any more. As long as such a set passed for good, restic would give no room back.
 */
export async function markIncomplete({ sets, restic }: Agent): Promise<void> {
  for (const set of await sets.own())
    for (const part of Object.values(set.files)) {
      if (part === null || isDamaged(set)) continue;
      try {
        await restic.requireWhole(part.snapshot);
      } catch (error) {
        await markDamaged({ sets }, set, error);
        break;
      }
    }
}
