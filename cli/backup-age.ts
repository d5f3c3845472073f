import type { Manifest } from "../backup/manifest";
import type { Config } from "../config";
import { listSets } from "./backup/list";
import type { Context } from "./context";
import { BackupAgeError } from "./errors";
import { formatDuration } from "./format";
import type { Tools } from "./setup";
import { runStep } from "./step";

/** What of the configuration says how old the newest backup may be. */
export interface BackupAgeConfig {
  readonly stack: string;
  readonly backup: Pick<Config["backup"], "maxAgeHours">;
}

/**
 * Refuses to go on without a backup that is young enough, where the stack asks for one. A stack that
 * nothing runs of has nobody to ask, and is not refused.
 *
 * @param now time by which its age is told.
 * @throws BackupAgeError, or CommandError when the backup service does not answer.
 */
export async function requireRecentBackup(
  context: Context,
  tools: Tools,
  config: BackupAgeConfig,
  now: Date,
  retry: string,
): Promise<void> {
  const { stack, backup } = config;
  if (backup.maxAgeHours === 0) return;
  const running = await tools.docker.listContainers({
    all: true,
    filters: { label: [`mlops.stack=${stack}`] },
  });
  if (running.length === 0) return;
  const request = { name: "backup-age", title: "Looking for a recent backup", retry };
  const { sets } = await runStep(context, request, (step) => listSets(tools, stack, step));
  checkBackupAge(
    config,
    sets.filter((set) => set.stack === stack),
    now,
  );
}

/**
 * @param sets oldest first.
 * @throws BackupAgeError
 */
export function checkBackupAge(
  { stack, backup }: BackupAgeConfig,
  sets: readonly Pick<Manifest, "set" | "finishedAt" | "complete" | "verified">[],
  now: Date,
): void {
  const refuse = (problem: string): never => {
    throw new BackupAgeError(stack, problem, backup.maxAgeHours);
  };
  const newest = sets.findLast(({ complete, verified }) => complete && verified);
  if (newest === undefined)
    return refuse(
      sets.length === 0 ? "There is no backup." : "No backup is complete and verified.",
    );
  const ageSeconds = (now.getTime() - Date.parse(newest.finishedAt)) / 1000;
  if (ageSeconds > backup.maxAgeHours * 3600)
    refuse(
      `The newest good backup (${newest.set}) is ${formatDuration(ageSeconds)} old (${newest.finishedAt}).`,
    );
}
