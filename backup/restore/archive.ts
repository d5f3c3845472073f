import type { PgBackrest } from "../pgbackrest";
import { parseSegment, type Histories } from "./timeline";

/** pgBackRest on the stack's databases. */
export type Runner = Pick<PgBackrest, "info" | "run">;

/** The write-ahead log that belongs to a backup, in the repository. */
export interface Archive {
  /** Folder in the repository. */
  readonly folder: string;
  /** Timeline that was backed up. */
  readonly timeline: number;
  /** Position from which on the backup is consistent. */
  readonly stopLsn: string;
}

/**
 * Finds a backup's archive.
 *
 * @returns undefined when the repository does not have the backup.
 */
export async function archiveOf(pgbackrest: Runner, label: string): Promise<Archive | undefined> {
  const stanza = await pgbackrest.info();
  const found = stanza?.backup.find((item) => item.label === label);
  const id = stanza?.archive.find(({ database }) => database.id === found?.database.id)?.id;
  if (stanza === undefined || found === undefined || id === undefined) return undefined;
  return {
    folder: `archive/${stanza.name}/${id}`,
    timeline: parseSegment(found.archive.start).timeline,
    stopLsn: found.lsn.stop,
  };
}

/** Reads the histories of all timelines in an archive. */
export async function readHistories(pgbackrest: Runner, archive: Archive): Promise<Histories> {
  const histories = new Map<number, string>();
  for (const name of await list(pgbackrest, archive.folder)) {
    const match = /^([0-9A-F]{8})\.history$/i.exec(name);
    if (match === null) continue;
    const text = await pgbackrest.run("repo-get", [`${archive.folder}/${name}`]);
    histories.set(Number.parseInt(match[1] ?? "", 16), text);
  }
  return histories;
}

/**
 * The newest segment of a timeline in an archive, such as `000000010000000000000003`; undefined
 * when there is none.
 */
export async function newestSegment(
  pgbackrest: Runner,
  archive: Archive,
  timeline: number,
): Promise<string | undefined> {
  const prefix = timeline.toString(16).toUpperCase().padStart(8, "0");
  const folders = await list(pgbackrest, archive.folder);
  const newest = folders.filter((name) => /^[0-9A-F]{16}$/i.test(name) && name.startsWith(prefix));
  const folder = newest.sort().at(-1);
  if (folder === undefined) return undefined;
  const segments = (await list(pgbackrest, `${archive.folder}/${folder}`))
    // A hash and the compression follow; the unfinished one of a timeline that was left says so.
    .map((name) => /^([0-9A-F]{24})(-|$)/i.exec(name)?.[1])
    .filter((name) => name !== undefined);
  return segments.sort().at(-1);
}

async function list(pgbackrest: Runner, folder: string): Promise<string[]> {
  return (await pgbackrest.run("repo-ls", [folder])).split("\n").filter((name) => name !== "");
}
