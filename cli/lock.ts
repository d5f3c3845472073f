import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { lock } from "proper-lockfile";
import type { Context } from "./context";
import { codeOf } from "./errors";

/** A lock that is not refreshed for so long belonged to a process that was killed. */
const STALE_AFTER_MS = 10_000;

/**
 * Does work that must not be done twice at once on this machine. Waits for whoever does it now;
 * the work has to look again whether it is still needed.
 *
 * @param name what is locked, such as `toolchain`.
 */
export async function withLock<T>(
  context: Context,
  name: string,
  work: () => Promise<T>,
): Promise<T> {
  await mkdir(context.cacheDir, { recursive: true });
  const options = { realpath: false, stale: STALE_AFTER_MS };
  const file = join(context.cacheDir, name);
  const release = await lock(file, options).catch((error: unknown) => {
    if (codeOf(error) !== "ELOCKED") throw error;
    context.terminal.note(`Waiting for another process that works on the ${name} …`);
    return lock(file, { ...options, retries: { forever: true, minTimeout: 500, maxTimeout: 500 } });
  });
  try {
    return await work();
  } finally {
    await release();
  }
}
