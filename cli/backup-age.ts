import { readFile } from "node:fs/promises";
import { join } from "node:path";
import type { Config } from "../config";
import type { Context } from "./context";
import { BackupAgeError, codeOf, UnreadableFileError } from "./errors";
import { formatDuration } from "./format";

/** What a set of backups says of itself. */
export interface BackupManifest {
  /** When the set was complete, ISO 8601. */
  readonly finishedAt: string;
  /** Whether it was restored for a try, or checked in another way that proves it can be. */
  readonly verified: boolean;
}

/** File in which the newest set of a stack's backups says what it is. */
export const newestManifest = (context: Context, stack: string): string =>
  join(context.root, "backups", stack, "latest", "manifest.json");

/**
 * Refuses to go on without a backup that is young enough, where the stack asks for one.
 *
 * @param now time by which its age is told.
 * @throws BackupAgeError, UnreadableFileError
 */
export async function requireRecentBackup(
  context: Context,
  config: { readonly stack: string; readonly backup: Pick<Config["backup"], "maxAgeHours"> },
  now: Date,
): Promise<void> {
  const { maxAgeHours } = config.backup;
  if (maxAgeHours === 0) return;
  const refuse = (problem: string): never => {
    throw new BackupAgeError(config.stack, problem, maxAgeHours);
  };
  const file = newestManifest(context, config.stack);
  const manifest = await readManifest(file);
  if (manifest === undefined) return refuse(`There is no backup: ${file} does not exist.`);
  const finishedAt = Date.parse(manifest.finishedAt);
  if (Number.isNaN(finishedAt)) return refuse(`${file} does not say when the backup was made.`);
  if (!manifest.verified) return refuse(`The newest backup (${file}) is not verified.`);
  const ageSeconds = (now.getTime() - finishedAt) / 1000;
  if (ageSeconds > maxAgeHours * 3600)
    refuse(`The newest backup is ${formatDuration(ageSeconds)} old (${manifest.finishedAt}).`);
}

async function readManifest(
  file: string,
): Promise<(Partial<BackupManifest> & { finishedAt: string }) | undefined> {
  try {
    const content = JSON.parse(await readFile(file, "utf8")) as Partial<BackupManifest> | null;
    return { ...content, finishedAt: content?.finishedAt ?? "" };
  } catch (error) {
    if (codeOf(error) === "ENOENT") return undefined;
    const reason = error instanceof SyntaxError ? "it is not JSON" : (codeOf(error) ?? "unknown");
    throw new UnreadableFileError(file, reason, "Make a new backup: this one cannot be trusted.");
  }
}
