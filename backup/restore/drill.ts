import { mkdir, rm } from "node:fs/promises";
import { join } from "node:path";
import type { Agent } from "../agent";
import type { Report } from "../events";
import { keepingSets, withLock } from "../lock";
import { runTool } from "../program";
import { recordRun } from "../runs";
import type { Places } from "../settings";
import { restore, type RestoreResult } from "./restore";
import { TARGETS } from "./targets";

/** Which set is tried, and where. */
export interface DrillRequest {
  /** Its name, or `latest` for the newest verified one. */
  readonly set: string;
  /** Whether a set will do that is not verified or lacks services. */
  readonly unverified: boolean;
  /** Folder with empty volumes that keep what is restored. @default none: it is removed again */
  readonly into?: string;
}

/**
 * Restores a set where nobody uses it, proves it as any restore is proved, and writes down how that
 * went. Backups are made meanwhile; only the removal of old sets waits for the next of them.
 *
 * @throws CommandError when the set is not what it says; that is written down, too.
 */
export async function drill(
  agent: Agent,
  { set, unverified, into }: DrillRequest,
  report: Report,
): Promise<RestoreResult> {
  const { places } = agent;
  const restoreInto = (root: string): Promise<RestoreResult> =>
    recordRun(places, "drill", () =>
      keepingSets(places, () =>
        restore(
          agent,
          { wish: { kind: "set", set }, id: "drill", unverified, isCopy: true, root },
          report,
        ),
      ),
    );
  return into === undefined ? inScratch(places, restoreInto) : restoreInto(into);
}

/** Exit code of `pkill`. */
const NONE_FOUND = 1;

const scratchOf = ({ scratch }: Pick<Places, "scratch">): string => join(scratch, "drill");

/** Does work in empty folders that stand for the volumes, and removes them afterwards. */
function inScratch<T>(
  places: Pick<Places, "scratch">,
  work: (root: string) => Promise<T>,
): Promise<T> {
  const root = scratchOf(places);
  return withLock(`${root}.lock`, { what: "drill", of: "The room for drills" }, async () => {
    await removeDrill(places);
    // The user of Postgres passes through, to what it knows the name of.
    for (const { name } of TARGETS) await mkdir(join(root, name), { recursive: true, mode: 0o711 });
    try {
      return await work(root);
    } finally {
      await removeDrill(places);
    }
  });
}

/**
 * Removes what a drill has restored; one that was killed could not do that itself, and what it had
 * started may still run.
 */
export async function removeDrill(places: Pick<Places, "scratch">): Promise<void> {
  const root = scratchOf(places);
  // Of Postgres' user, and of this one, which may not send signals to others.
  for (const asPostgres of [true, false])
    await runTool("pkill", ["--signal=KILL", "--full", `${root}/`], {
      asPostgres,
      accepted: [NONE_FOUND],
    });
  // The children of a Postgres that was killed end a moment later.
  await rm(root, { recursive: true, force: true, maxRetries: 5 });
}
