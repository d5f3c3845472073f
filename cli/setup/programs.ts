import { constants } from "node:fs";
import { access, lstat, mkdir, readlink, rename, stat, symlink } from "node:fs/promises";
import { delimiter, join } from "node:path";
import type { Context } from "../context";

/** Where system programs are that a user's PATH may leave out. */
const SYSTEM_FOLDERS = [
  "/usr/local/bin",
  "/usr/bin",
  "/bin",
  "/usr/local/sbin",
  "/usr/sbin",
  "/sbin",
];

/** Folders of PATH, then the system's own. */
export function searchPath(env: Readonly<NodeJS.ProcessEnv>): string[] {
  const path = (env["PATH"] ?? "").split(delimiter).filter((folder) => folder !== "");
  return [...new Set([...path, ...SYSTEM_FOLDERS])];
}

/** Every program of that name in the folders, in their order. */
export async function findPrograms(name: string, folders: readonly string[]): Promise<string[]> {
  const candidates = folders.map((folder) => join(folder, name));
  const usable = await Promise.all(candidates.map(isProgram));
  return candidates.filter((_, index) => usable[index]);
}

async function isProgram(path: string): Promise<boolean> {
  try {
    await access(path, constants.X_OK);
    return (await stat(path)).isFile();
  } catch {
    return false;
  }
}

/** The folder that is put first on the PATH of everything the commands start. */
export const privateBin = (context: Context): string => join(context.cacheDir, "bin");

/** Makes a program of the private folder stand for another one, in one rename. */
export async function linkPrivately(context: Context, name: string, target: string): Promise<void> {
  const link = join(privateBin(context), name);
  const exists = await lstat(link).then(
    (entry) => entry.isSymbolicLink(),
    () => false,
  );
  if (exists && (await readlink(link)) === target) return;
  await mkdir(privateBin(context), { recursive: true });
  const partial = `${link}.${process.pid}.partial`;
  await symlink(target, partial);
  await rename(partial, link);
}
