import { readdir, readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { codeOf } from "./errors";
import { PROJECT } from "./stack";

/**
 * Removes the attributes of state files that a killed run has left half-written. Pulumi's file
 * backend replaces a state file by renaming, but writes the `.attrs` file beside it in place, and
 * then refuses the state with nothing but "EOF". It does without one: nothing but a content type and
 * a checksum that nobody asks for is in there.
 *
 * @param stateFolder see `Tools`.
 */
export async function removeTornAttributes(stateFolder: string, stack: string): Promise<void> {
  const root = join(stateFolder, ".pulumi");
  const candidates = [
    ...(await attributesIn(join(root, "stacks", PROJECT), `${stack}.json`)),
    ...(await attributesIn(join(root, "history", PROJECT, stack), stack)),
  ];
  for (const path of candidates) if (await isTorn(path)) await rm(path, { force: true });
}

async function attributesIn(folder: string, start: string): Promise<string[]> {
  const files = await ignoringMissing(readdir(folder), []);
  return files
    .filter((file) => file.startsWith(start) && file.endsWith(".attrs"))
    .map((file) => join(folder, file));
}

async function isTorn(path: string): Promise<boolean> {
  const content = await ignoringMissing(readFile(path, "utf8"), "{}");
  try {
    JSON.parse(content);
    return false;
  } catch {
    return true;
  }
}

async function ignoringMissing<T>(result: Promise<T>, otherwise: T): Promise<T> {
  try {
    return await result;
  } catch (error) {
    if (codeOf(error) === "ENOENT") return otherwise;
    throw error;
  }
}
