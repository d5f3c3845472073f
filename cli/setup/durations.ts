import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import type { Context } from "../context";
import { codeOf } from "../errors";
import { writeFileAtomically } from "../files";
import { runStep, type Step, type StepRequest } from "../step";

/** How long a step took when it last did its work. */
export interface RecordedDuration {
  readonly name: string;
  readonly title: string;
  readonly seconds: number;
  /** ISO 8601. */
  readonly finishedAt: string;
}

const folder = (context: Context): string => join(context.cacheDir, "durations");

/**
 * Runs a step of the set-up, and remembers how long it took: `./mlops bench` shows it long after
 * there is nothing left to do for the step.
 */
export async function runSetUpStep<T>(
  context: Context,
  request: StepRequest,
  work: (step: Step) => Promise<T>,
): Promise<T> {
  const startedAt = performance.now();
  const result = await runStep(context, request, work);
  await recordDuration(context, request, (performance.now() - startedAt) / 1000);
  return result;
}

/** Remembers how long something took that is done once on a machine. */
export async function recordDuration(
  context: Context,
  { name, title }: Pick<RecordedDuration, "name" | "title">,
  seconds: number,
): Promise<void> {
  const record: RecordedDuration = {
    name,
    title,
    seconds: Math.round(seconds * 10) / 10,
    finishedAt: new Date().toISOString(),
  };
  await writeFileAtomically(join(folder(context), `${name}.json`), JSON.stringify(record));
}

/** All recorded durations, oldest first. */
export async function readDurations(context: Context): Promise<RecordedDuration[]> {
  let files: string[];
  try {
    files = await readdir(folder(context));
  } catch (error) {
    if (codeOf(error) === "ENOENT") return [];
    throw error;
  }
  const records = await Promise.all(
    files
      .filter((file) => file.endsWith(".json"))
      .map(async (file) => {
        const text = await readFile(join(folder(context), file), "utf8");
        return JSON.parse(text) as RecordedDuration;
      }),
  );
  return records.sort((a, b) => a.finishedAt.localeCompare(b.finishedAt));
}
