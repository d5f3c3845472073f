import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { testBed } from "../testing/context";
import { measureSideBySide, median, type Contender } from "./measure";

void describe("median", () => {
  for (const [values, expected] of [
    [[3], 3],
    [[3, 1, 2], 2],
    [[4, 1, 3, 2], 2.5],
    [[10, 9, 100], 10],
  ] as const)
    void it(`of ${values.join(", ")} is ${expected}`, () => {
      assert.equal(median(values), expected);
    });

  void it("of nothing is not a number", () => {
    assert.ok(Number.isNaN(median([])));
  });
});

void describe("measureSideBySide", () => {
  const contender = (name: string, script: string): Contender => ({
    name,
    command: "sh",
    args: ["-c", script],
    cwd: "/",
    env: {},
  });

  void it("runs all in turn, once more than it counts", async (test) => {
    const { context } = await testBed(test);
    const said: string[] = [];
    const contenders = [contender("a", ":"), contender("b", ":")];
    const results = await measureSideBySide(context, contenders, 2, (text) => said.push(text));
    assert.deepEqual(said, [
      "a, to warm up",
      "b, to warm up",
      "a, run 1 of 2",
      "b, run 1 of 2",
      "a, run 2 of 2",
      "b, run 2 of 2",
    ]);
    for (const { min, median: middle, max } of results) assert.ok(min <= middle && middle <= max);
    assert.deepEqual(
      results.map(({ name }) => name),
      ["a", "b"],
    );
  });

  void it("measures no failure", async (test) => {
    const { context } = await testBed(test);
    const broken = measureSideBySide(context, [contender("a", "exit 1")], 1, () => undefined);
    await assert.rejects(broken, /exit code 1/);
  });
});
