import { readdir } from "node:fs/promises";
import { join } from "node:path";

/** Folders that hold nothing of the project's own sources. */
const SKIPPED = new Set([".git", ".mlops", ".venv", "dist", "node_modules"]);

/** Paths of the project's own files that fit, relative to its folder and sorted. */
export async function findFiles(root: string, fits: (path: string) => boolean): Promise<string[]> {
  const found: string[] = [];
  const visit = async (folder: string): Promise<void> => {
    for (const entry of await readdir(join(root, folder), { withFileTypes: true })) {
      const path = folder === "" ? entry.name : `${folder}/${entry.name}`;
      if (entry.isDirectory() && !SKIPPED.has(entry.name)) await visit(path);
      else if (entry.isFile() && fits(path)) found.push(path);
    }
  };
  await visit("");
  return found.sort();
}
