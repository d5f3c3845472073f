import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import type { Context } from "./context";
import { codeOf } from "./errors";
import { writeFileAtomically } from "./files";

/** How long a step took when it last did its work. */
export interface RecordedDuration {
  readonly name: string;
  readonly title: string;
  readonly seconds: number;
  /** ISO 8601. */
  readonly finishedAt: string;
}

const folder = (context: Context): string => join(context.cacheDir, "durations");

/** Remembers a step's duration for `./mlops bench`, also after the step has nothing left to do. */
export async function recordDuration(
  context: Context,
  step: { readonly name: string; readonly title: string },
  seconds: number,
): Promise<void> {
  const record: RecordedDuration = {
    name: step.name,
    title: step.title,
    seconds: Math.round(seconds * 10) / 10,
    finishedAt: new Date().toISOString(),
  };
  const file = join(folder(context), `${step.name}.json`);
  await writeFileAtomically(file, JSON.stringify(record));
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
