import assert from "node:assert/strict";
import { setTimeout as delay } from "node:timers/promises";

const WITHIN_MS = 120_000;

/** Waits until something holds, for two minutes at most. */
export async function until(holds: () => Promise<boolean>): Promise<void> {
  const deadline = Date.now() + WITHIN_MS;
  while (!(await holds())) {
    assert.ok(Date.now() < deadline, `not within ${WITHIN_MS / 1000} s`);
    await delay(100);
  }
}
