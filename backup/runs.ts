import { readFile, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { codeOf, messageOf } from "../cli/errors";
import type { Places } from "./settings";

/** What is done again and again, and must not fail unseen. */
export type RunKind = "backup" | "drill";

/** How a run ended. */
export interface Run {
  readonly succeeded: boolean;
  /** ISO 8601. */
  readonly finishedAt: string;
  readonly seconds: number;
  /** Why it failed. */
  readonly problem?: string;
}

/** Of a file, whatever is in it: a block of any file system. */
const RUN_BYTES = 4096;
const PROBLEM_LENGTH = 1200;

const fileOf = (places: Pick<Places, "backup">, kind: RunKind): string =>
  join(places.backup, `last-${kind}.json`);

/** Does work, and writes down how it ended for whoever asks, this process or another. */
export async function recordRun<T>(
  places: Pick<Places, "backup">,
  kind: RunKind,
  work: () => Promise<T>,
): Promise<T> {
  const begun = performance.now();
  const end = async (problem?: string): Promise<void> => {
    const run: Run = {
      succeeded: problem === undefined,
      finishedAt: new Date().toISOString(),
      seconds: Math.round(performance.now() - begun) / 1000,
      ...(problem === undefined ? {} : { problem: problem.slice(0, PROBLEM_LENGTH) }),
    };
    await write(fileOf(places, kind), JSON.stringify(run).padEnd(RUN_BYTES));
  };
  let result: T;
  try {
    result = await work();
  } catch (error) {
    // On a full disk the first failure is the one to tell of.
    await end(messageOf(error)).catch(() => undefined);
    throw error;
  }
  await end();
  return result;
}

/**
 * On a full disk nothing can be made, but what is there can be written over, as long as it stays in
 * its block: that a backup failed must not be what gets lost.
 */
async function write(file: string, text: string): Promise<void> {
  try {
    await writeFile(`${file}.partial`, text, { mode: 0o644, flush: true });
    await rename(`${file}.partial`, file);
  } catch (error) {
    if (codeOf(error) !== "ENOSPC") throw error;
    await rm(`${file}.partial`, { force: true });
    await writeFile(file, text, { flag: "r+", flush: true });
  }
}

/** How the last run ended; undefined before the first. */
export async function lastRun(
  places: Pick<Places, "backup">,
  kind: RunKind,
): Promise<Run | undefined> {
  try {
    return JSON.parse(await readFile(fileOf(places, kind), "utf8")) as Run;
  } catch (error) {
    if (codeOf(error) === "ENOENT") return undefined;
    throw error;
  }
}
