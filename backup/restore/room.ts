import { stat, statfs } from "node:fs/promises";
import { DiskFullError } from "../../cli/errors";

/** How many bytes are about to be written into a folder. */
export interface Need {
  readonly folder: string;
  readonly bytes: number;
}

/** What file systems take beside the content, and what a replayed log adds. */
const RESERVE_BYTES = 128 * 2 ** 20;
const SURPLUS = 1.1;

/**
 * Looks whether there is room, also where several folders share a disk.
 *
 * @throws DiskFullError
 */
export async function requireRoom(needs: readonly Need[]): Promise<void> {
  const disks = new Map<number, Need>();
  for (const { folder, bytes } of needs) {
    const { dev } = await stat(folder);
    const known = disks.get(dev);
    disks.set(dev, { folder: known?.folder ?? folder, bytes: (known?.bytes ?? 0) + bytes });
  }
  for (const { folder, bytes } of disks.values()) {
    const { bavail, bsize } = await statfs(folder);
    const needed = bytes * SURPLUS + RESERVE_BYTES;
    if (bavail * bsize < needed) throw new DiskFullError(folder, bavail * bsize, needed);
  }
}
