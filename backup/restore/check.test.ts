import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { DatabaseContent } from "../manifest";
import { requireSameContent } from "./check";

const CONTENT: DatabaseContent = {
  revision: "0002",
  dumpSha256: "aa",
  rows: { "public.prediction_log": 3, "public.empty": 0 },
};

void describe("what was restored", () => {
  void it("passes when it is the same", () => {
    requireSameContent("S", { mlops: CONTENT }, { mlops: { ...CONTENT } });
  });

  const { "public.empty": empty, ...others } = CONTENT.rows;
  assert.equal(empty, 0);
  for (const [what, restored, pattern] of [
    ["a lost row", { rows: { ...CONTENT.rows, "public.prediction_log": 2 } }, /has 2 instead of 3/],
    ["a row too many", { rows: { ...CONTENT.rows, "public.empty": 1 } }, /has 1 instead of 0/],
    ["a lost table", { rows: others }, /public.empty has no table instead of 0/],
    ["another revision", { revision: null }, /revision none instead of 0002/],
    ["another byte", { dumpSha256: "ab" }, /as many rows, but other content/],
  ] as const)
    void it(`is refused with ${what}`, () => {
      const run = (): void => {
        requireSameContent("S", { mlops: CONTENT }, { mlops: { ...CONTENT, ...restored } });
      };
      assert.throws(run, pattern);
      assert.throws(run, /What is live was not touched/);
    });

  void it("is refused with a database too many or too few", () => {
    const run = (expected: object, restored: object) => (): void => {
      requireSameContent("S", expected as never, restored as never);
    };
    assert.throws(run({ mlops: CONTENT }, {}), /mlops is missing/);
    assert.throws(run({}, { mlops: CONTENT }), /mlops is new/);
  });
});
