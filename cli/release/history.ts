import type { Release } from "./ledger";

/**
 * The releases that can be gone back to, in the order in which they would be: the newest before the
 * one that is live comes first. A release that was left by going back to one before it is not
 * among them, so that going back twice goes back two releases.
 *
 * @param releases the ledger, newest first.
 */
export function earlierReleases<Row extends Pick<Release, "tag" | "passed">>(
  releases: readonly Row[],
): readonly Row[] {
  const line: Row[] = [];
  for (const release of releases.filter(({ passed }) => passed).reverse()) {
    const again = line.findIndex(({ tag }) => tag === release.tag);
    if (again >= 0) line.length = again;
    line.push(release);
  }
  return line.reverse().slice(1);
}
