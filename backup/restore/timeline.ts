/**
 * Postgres' timelines: every recovery starts a new one, whose history file names where it left the
 * one before. Which of them leads to a point in time has to be said, since the newest in the archive
 * need not continue the one that was backed up: a restore that was undone leaves it behind.
 */

/** A timeline's history file, by the timeline's number. */
export type Histories = ReadonlyMap<number, string>;

/**
 * The newest timeline that goes through a point.
 *
 * @param histories of all timelines but the first, from the archive.
 * @param timeline that the point lies on.
 * @param lsn of the point, such as `0/3000090`.
 * @returns `timeline` itself where none continues it from there on.
 */
export function newestThrough(histories: Histories, timeline: number, lsn: string): number {
  const point = parseLsn(lsn);
  const through = [...histories]
    .filter(([, history]) =>
      parseHistory(history).some(
        (branch) => branch.timeline === timeline && branch.leftAt >= point,
      ),
    )
    .map(([number]) => number);
  return Math.max(timeline, ...through);
}

/** Where a timeline ended, for the one that its history file is of. */
interface Branch {
  readonly timeline: number;
  readonly leftAt: bigint;
}

function parseHistory(text: string): Branch[] {
  return text
    .split("\n")
    .map((line) => /^\s*(\d+)\s+([0-9A-F]+\/[0-9A-F]+)/i.exec(line))
    .filter((match) => match !== null)
    .map((match) => ({ timeline: Number(match[1]), leftAt: parseLsn(match[2] ?? "") }));
}

/**
 * Where recovery ended, by the history that it wrote: the last line's point.
 *
 * @throws Error for a history without lines.
 */
export function endOfRecovery(history: string): bigint {
  const last = parseHistory(history).at(-1);
  if (last === undefined) throw new Error(`this is no timeline history: ${history}`);
  return last.leftAt;
}

/** A position in the write-ahead log, such as `0/3000090`, as a number of bytes. */
export function parseLsn(text: string): bigint {
  const match = /^([0-9A-F]{1,8})\/([0-9A-F]{1,8})$/i.exec(text);
  if (match === null) throw new RangeError(`"${text}" is not a position in the write-ahead log`);
  return (BigInt(`0x${match[1] ?? ""}`) << 32n) + BigInt(`0x${match[2] ?? ""}`);
}

/** A position as Postgres writes it. */
export const formatLsn = (position: bigint): string =>
  [position >> 32n, position & 0xffffffffn]
    .map((half) => half.toString(16).toUpperCase())
    .join("/");

/** Size of a segment, unless initdb was told otherwise, which ours is not. */
const SEGMENT_BYTES = 1n << 24n;

/** Timeline and first position of a segment file, such as `000000010000000000000003`. */
export function parseSegment(name: string): { readonly timeline: number; readonly start: bigint } {
  const match = /^([0-9A-F]{8})([0-9A-F]{8})([0-9A-F]{8})$/i.exec(name);
  if (match === null) throw new RangeError(`"${name}" is not a segment of the write-ahead log`);
  const [timeline = 0n, high = 0n, low = 0n] = match.slice(1).map((part) => BigInt(`0x${part}`));
  return { timeline: Number(timeline), start: (high << 32n) + low * SEGMENT_BYTES };
}
