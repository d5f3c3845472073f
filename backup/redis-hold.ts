import { readFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { createClient } from "@redis/client";
import type { Places } from "./settings";

const SETTING = "auto-aof-rewrite-percentage";
/** Redis' own default, which the stack does not change. */
const DEFAULT = "100";
const REWRITE_WITHIN_MS = 300_000;
const POLL_MS = 200;

/** Asks Redis for a sign of life. @throws Error when there is none. */
export async function pingRedis(places: Places): Promise<void> {
  await withRedis(places, (client) => client.ping());
}

/**
 * Does work while Redis writes its append-only file on, but does not begin it anew: the files that
 * its list names stay where they are.
 */
export async function holdingRewrites<T>(places: Places, work: () => Promise<T>): Promise<T> {
  return withRedis(places, async (client) => {
    await client.configSet(SETTING, "0");
    try {
      const deadline = performance.now() + REWRITE_WITHIN_MS;
      while (/^aof_rewrite_(in_progress|scheduled):1/m.test(await client.info("persistence"))) {
        if (performance.now() > deadline)
          throw new Error("Redis rewrites its append-only file without an end");
        await delay(POLL_MS);
      }
      return await work();
    } finally {
      await client.configSet(SETTING, DEFAULT);
    }
  });
}

/** Gives back what a killed backup has held; does nothing when Redis does not answer. */
export async function releaseRewrites(places: Places): Promise<void> {
  await withRedis(places, (client) => client.configSet(SETTING, DEFAULT)).catch(() => undefined);
}

type Redis = ReturnType<typeof openRedis>;

async function withRedis<T>(places: Places, work: (client: Redis) => Promise<T>): Promise<T> {
  const client = openRedis(places);
  client.on("error", () => undefined);
  await client.connect();
  try {
    return await work(client);
  } finally {
    client.destroy();
  }
}

function openRedis(places: Places) {
  return createClient({
    url: "redis://redis:6379",
    // Read anew each time: it may have been rotated.
    password: readFileSync(join(places.secrets, "redis_password"), "utf8").trim(),
    socket: { connectTimeout: 5000, reconnectStrategy: false },
  });
}
