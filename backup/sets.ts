import { mkdir, readdir, readFile, readlink, rename, rm, symlink } from "node:fs/promises";
import { join } from "node:path";
import { codeOf } from "../cli/errors";
import { syncFolder, writeSynced } from "./durable";
import { parseManifest, type Manifest } from "./manifest";
import type { Places } from "./settings";

const LATEST = "latest";
const PARTIAL = ".partial";
const REMOVED = ".removed";
const MANIFEST = "manifest.json";

/** A folder that should be a set, and is none. */
export interface BrokenSet {
  readonly set: string;
  /** Why, as the end of a sentence. */
  readonly reason: string;
}

/**
 * The sets of a stack: a folder with a manifest for each, and a link to the newest that is verified.
 * A set is there whole or not at all.
 */
export class Sets {
  private readonly folder: string;

  /** @param stack whose sets they are; others may be there as well. */
  constructor(
    places: Pick<Places, "backup">,
    private readonly stack: string,
  ) {
    this.folder = join(places.backup, "sets");
  }

  /** All sets, oldest first, and what looks like one but cannot be read. */
  async list(): Promise<{ readonly sets: Manifest[]; readonly broken: BrokenSet[] }> {
    const sets: Manifest[] = [];
    const broken: BrokenSet[] = [];
    for (const set of await this.names()) {
      try {
        sets.push(parseManifest(await readFile(join(this.folder, set, MANIFEST), "utf8")));
      } catch (error) {
        const reason = error instanceof Error ? error.message : String(error);
        broken.push({ set, reason: codeOf(error) === "ENOENT" ? "its manifest is gone" : reason });
      }
    }
    sets.sort((a, b) => a.sequence - b.sequence || (a.set < b.set ? -1 : 1));
    return { sets, broken };
  }

  /** Those of this stack, oldest first. */
  async own(): Promise<Manifest[]> {
    return (await this.list()).sets.filter(({ stack }) => stack === this.stack);
  }

  /** Name of the set that the link names; undefined where there is none. */
  async latest(): Promise<string | undefined> {
    try {
      return await readlink(join(this.folder, LATEST));
    } catch (error) {
      if (codeOf(error) === "ENOENT") return undefined;
      throw error;
    }
  }

  /** A name for a set that begins now, which no other set has. */
  async freeName(now: Date): Promise<string> {
    const time = `${now.toISOString().slice(0, 19).replaceAll(/[-:]/g, "")}Z`;
    const taken = new Set(await this.names());
    let name = time;
    for (let count = 2; taken.has(name); count += 1) name = `${time}-${count}`;
    return name;
  }

  /** Writes a set, or a new manifest of one, so that even a power cut leaves all of it or nothing. */
  async write(manifest: Manifest): Promise<void> {
    const text = `${JSON.stringify(manifest, null, 2)}\n`;
    const target = join(this.folder, manifest.set);
    if ((await this.names()).includes(manifest.set)) {
      const partial = join(target, `${MANIFEST}${PARTIAL}`);
      await writeSynced(partial, text, 0o644);
      await rename(partial, join(target, MANIFEST));
      await syncFolder(target);
      return;
    }
    const partial = `${target}${PARTIAL}`;
    await rm(partial, { recursive: true, force: true });
    await mkdir(partial, { recursive: true, mode: 0o755 });
    await writeSynced(join(partial, MANIFEST), text, 0o644);
    await syncFolder(partial);
    await rename(partial, target);
    await syncFolder(this.folder);
  }

  /** Lets the link name the newest set that is verified, or removes it where there is none. */
  async updateLatest(): Promise<string | undefined> {
    const newest = newestGood(await this.own())?.set;
    const link = join(this.folder, LATEST);
    if (newest === undefined) {
      await rm(link, { force: true });
      return undefined;
    }
    if ((await this.latest()) === newest) return newest;
    const partial = `${link}${PARTIAL}`;
    await rm(partial, { force: true });
    await symlink(newest, partial);
    await rename(partial, link);
    await syncFolder(this.folder);
    return newest;
  }

  /** Takes a set out of the list; what it names in the repository is not touched. */
  async remove(set: string): Promise<void> {
    const removed = join(this.folder, `${set}${REMOVED}`);
    await rename(join(this.folder, set), removed);
    await syncFolder(this.folder);
    await rm(removed, { recursive: true, force: true });
  }

  /** Removes what killed processes have left half-done. */
  async clean(): Promise<void> {
    await mkdir(this.folder, { recursive: true, mode: 0o755 });
    for (const name of await readdir(this.folder))
      if (name.endsWith(PARTIAL) || name.endsWith(REMOVED))
        await rm(join(this.folder, name), { recursive: true, force: true });
  }

  private async names(): Promise<string[]> {
    try {
      const names = await readdir(this.folder);
      return names
        .filter((name) => name !== LATEST && !name.endsWith(PARTIAL) && !name.endsWith(REMOVED))
        .sort();
    } catch (error) {
      if (codeOf(error) === "ENOENT") return [];
      throw error;
    }
  }
}

/** The newest set that is whole and proved, by its sequence: clocks go wrong. */
export const newestGood = (sets: readonly Manifest[]): Manifest | undefined =>
  sets.findLast(({ complete, verified }) => complete && verified);
