import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { mlops } from "../testing/program";

void describe("./mlops model", () => {
  for (const [args, message] of [
    [["rollback", "v2"], /Versions are numbers/],
    [["rollback", "0"], /Versions are numbers/],
    [["rollback", "1", "2"], /too many arguments/i],
    [["list", "--limit", "0"], /whole number/],
    [["list", "--limit", "all"], /whole number/],
    [["promote"], /unknown command/i],
  ] as const)
    void it(`refuses ${args.join(" ")}`, async () => {
      const { exitCode, stderr } = await mlops(["model", ...args]);
      assert.equal(exitCode, 1);
      assert.match(stderr, message);
    });

  void it("explains in its help where a rollback goes, with an example", async () => {
    const { stdout } = await mlops(["model", "rollback", "--help"]);
    assert.match(stdout, /Once more steps further back/);
    assert.match(stdout, /Examples:/);
  });
});
