import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { Sample } from "./protocol";
import { quantile, summarizeLoad } from "./summary";

void describe("quantile", () => {
  for (const [values, share, expected] of [
    [[1, 2, 3, 4], 0.5, 2],
    [[1, 2, 3, 4], 1, 4],
    [[1, 2, 3, 4], 0.99, 4],
    [[7], 0.5, 7],
  ] as const)
    void it(`${share} of ${values.join(", ")} is ${expected}`, () => {
      assert.equal(quantile(values, share), expected);
    });

  void it("of nothing is not a number", () => {
    assert.ok(Number.isNaN(quantile([], 0.5)));
  });
});

void describe("the summary of a load", () => {
  const answered = (dueAt: number, milliseconds: number): Sample => ({
    kind: "load",
    connection: "new",
    method: "GET",
    dueAt,
    sentAt: dueAt + 1,
    endedAt: dueAt + milliseconds,
    version: "v1",
  });

  void it("counts latency from when a request was due, and only that of good answers", () => {
    const failed: Sample = { ...answered(30, 900), failure: "reset", detail: "ECONNRESET" };
    const summary = summarizeLoad([answered(0, 10), answered(10, 20), answered(20, 300), failed]);
    assert.deepEqual(summary.latency, { p50: 20, p95: 300, p99: 300, max: 300 });
    assert.equal(summary.longestGap, 290);
    assert.deepEqual(summary.failures, { reset: 1 });
    assert.deepEqual([summary.requests, summary.failed], [4, 1]);
  });

  void it("keeps slow requests apart, but counts them and their failures", () => {
    const slow: Sample = { ...answered(0, 5000), kind: "slow", failure: "timeout" };
    const summary = summarizeLoad([answered(0, 10), slow]);
    assert.equal(summary.latency.max, 10);
    assert.deepEqual(summary.failures, { timeout: 1 });
    assert.deepEqual(
      summary.classes.filter(({ requests }) => requests > 0).map(({ name }) => name),
      ["GET new", "slow"],
    );
  });
});
