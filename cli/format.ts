/** A time span in its two largest units, such as `3 h 12 min`. */
export function formatDuration(seconds: number): string {
  const units: readonly [string, number][] = [
    ["d", 86_400],
    ["h", 3600],
    ["min", 60],
    ["s", 1],
  ];
  let rest = Math.max(0, Math.round(seconds));
  const parts: string[] = [];
  for (const [unit, size] of units) {
    const count = Math.floor(rest / size);
    rest -= count * size;
    if (count > 0 && parts.length < 2) parts.push(`${count} ${unit}`);
    else if (parts.length > 0) break;
  }
  return parts.length === 0 ? "0 s" : parts.join(" ");
}

/** Milliseconds as seconds with one decimal: more than that nobody reads of a command. */
export const toSeconds = (milliseconds: number): number => Math.round(milliseconds / 100) / 10;

/** An amount of memory or disk in a unit that keeps it short, such as `944 MiB`. */
export function formatBytes(bytes: number): string {
  const mebibytes = bytes / 2 ** 20;
  return mebibytes < 1024
    ? `${mebibytes < 10 ? mebibytes.toFixed(1) : Math.round(mebibytes)} MiB`
    : `${(mebibytes / 1024).toFixed(1)} GiB`;
}
