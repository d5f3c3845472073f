import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { sealManifest, type Manifest } from "./manifest";
import { expiredSets } from "./retention";

const DAY_MS = 86_400_000;
const FIRST = Date.parse("2026-01-01T03:00:00Z");

/** A set of the n-th day. */
function set(day: number, sequence = day + 1, good = true): Manifest {
  const at = new Date(FIRST + day * DAY_MS).toISOString();
  return sealManifest({
    format: 1,
    set: `day-${day}-${sequence}`,
    stack: "prod",
    reason: "schedule",
    sequence,
    startedAt: at,
    finishedAt: at,
    complete: good,
    verified: good,
    problems: [],
    tools: { pgbackrest: "2", restic: "0" },
    postgres: null,
    files: { mlflow: null, app: null, redis: null, stack: null },
    images: {},
    version: "v1",
    models: [],
    seconds: {},
  });
}

const days = (count: number): Manifest[] => Array.from({ length: count }, (_, day) => set(day));

const kept = (sets: readonly Manifest[], daily: number, weekly: number, monthly: number) => {
  const expired = new Set(expiredSets(sets, { daily, weekly, monthly }));
  return sets.filter((manifest) => !expired.has(manifest)).map(({ set }) => set);
};

void describe("which sets are kept", () => {
  void it("is the newest of each of the newest days", () => {
    assert.deepEqual(kept(days(5), 2, 0, 0), ["day-3-4", "day-4-5"]);
  });

  void it("is the newest of each week, from Monday, and of each month", () => {
    // 1 January 2026 is a Thursday: its first Sunday is day 3, and day 30 is the 31st.
    assert.deepEqual(kept(days(40), 0, 3, 0), ["day-31-32", "day-38-39", "day-39-40"]);
    assert.deepEqual(kept(days(40), 0, 0, 9), ["day-30-31", "day-39-40"]);
  });

  void it("is always the newest good one, and all of its day, even where 0 are asked for", () => {
    assert.deepEqual(kept([...days(3), set(2, 4)], 0, 0, 0), ["day-2-3", "day-2-4"]);
  });

  void it("is the newest by sequence when the clock was set back", () => {
    assert.deepEqual(kept([set(300, 1), set(2, 2)], 0, 0, 0), ["day-2-2"]);
  });

  void it("is everything while nothing is good, and whatever came after the newest good one", () => {
    const bad = (day: number) => set(day, day + 1, false);
    assert.equal(kept([bad(0), bad(1)], 0, 0, 0).length, 2);
    assert.deepEqual(kept([bad(0), set(1), bad(2)], 1, 0, 0), ["day-1-2", "day-2-3"]);
  });
});
