import { mkdir, readdir, readFile, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { codeOf } from "../../cli/errors";
import { syncFolder, writeSynced } from "../durable";

/**
 * Folder at the root of a volume in which restores wait: on the same file system as the data that
 * they take the place of, so that the switch is renames, and the data before is never copied.
 */
export const WAITING = ".restore";

/** What belongs to the file system, and stays where it is. */
export const STAYS: ReadonlySet<string> = new Set([WAITING, "lost+found"]);

/**
 * How far a restore has come in one volume. Between `ready` and `switched`, and between `switched`
 * and `undone`, first the live entries move out, then the others move in; each phase is written
 * before its first rename.
 */
export const PHASES = [
  "restoring",
  "ready",
  "switching-out",
  "switching-in",
  "switched",
  "undoing-out",
  "undoing-in",
  "undone",
] as const;

export type Phase = (typeof PHASES)[number];

/** One restore in one volume: `.restore/<id>` with `new`, `old` and `phase`. */
export class Place {
  /** What waits to become live, or was live until the restore was undone. */
  readonly new: string;
  /** What was live before the switch. */
  readonly old: string;
  private readonly folder: string;

  /**
   * @param volume name of the volume, for people.
   * @param root where it is mounted.
   * @param id of the restore; the same in all volumes.
   */
  constructor(
    readonly volume: string,
    readonly root: string,
    readonly id: string,
  ) {
    this.folder = join(root, WAITING, id);
    this.new = join(this.folder, "new");
    this.old = join(this.folder, "old");
  }

  /**
   * Makes the folders, which only root can list: they hold what the service's own rights hide.
   *
   * @param passable whether another user may reach what it knows the name of. @default false
   */
  async create(passable = false): Promise<void> {
    const mode = passable ? 0o711 : 0o700;
    for (const folder of [join(this.root, WAITING), this.folder, this.new, this.old])
      await mkdir(folder, { recursive: true, mode });
    await this.setPhase("restoring");
  }

  /** Undefined when the volume knows nothing of this restore. */
  async phase(): Promise<Phase | undefined> {
    let text: string;
    try {
      text = (await readFile(join(this.folder, "phase"), "utf8")).trim();
    } catch (error) {
      if (codeOf(error) === "ENOENT") return undefined;
      throw error;
    }
    const phase = PHASES.find((known) => known === text);
    if (phase === undefined) throw new Error(`${this.folder}/phase says "${text}"`);
    return phase;
  }

  /** Done when it would survive a power cut. */
  async setPhase(phase: Phase): Promise<void> {
    const partial = join(this.folder, "phase.partial");
    await writeSynced(partial, `${phase}\n`, 0o600);
    await rename(partial, join(this.folder, "phase"));
    await syncFolder(this.folder);
  }

  /**
   * Moves every entry from one folder to another of the same volume.
   *
   * @param report told before each rename.
   */
  async move(from: string, to: string, report: (doing: string) => void): Promise<void> {
    for (const entry of await readdir(from)) {
      if (from === this.root && STAYS.has(entry)) continue;
      report(`${this.volume}: ${entry}`);
      await rename(join(from, entry), join(to, entry));
    }
    await syncFolder(from);
    await syncFolder(to);
  }

  /** Removes all that the volume has of this restore. */
  async remove(): Promise<void> {
    // First what makes it one: half removed, it must not be taken for whole.
    await rm(join(this.folder, "phase"), { force: true });
    await rm(this.folder, { recursive: true, force: true });
    if ((await readdir(this.root)).includes(WAITING)) await syncFolder(join(this.root, WAITING));
  }
}

/** Restores that a volume knows, whole or not, oldest first where the IDs are times. */
export async function waitingIn(root: string): Promise<string[]> {
  try {
    return (await readdir(join(root, WAITING))).sort();
  } catch (error) {
    if (codeOf(error) === "ENOENT") return [];
    throw error;
  }
}
