import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Terminal } from "./terminal";
import { testBed } from "./testing/context";

void describe("Terminal", () => {
  void it("colours what goes to a terminal", async (test) => {
    const { context, stdout } = await testBed(test, { TERM: "xterm" }, true);
    context.terminal.print(context.terminal.style("red", "bad"));
    assert.equal(stdout(), "\u001b[31mbad\u001b[39m\n");
  });

  for (const [why, env, isTTY] of [
    ["what is piped", { TERM: "xterm" }, false],
    ["NO_COLOR", { TERM: "xterm", NO_COLOR: "1" }, true],
    ["a dumb terminal", { TERM: "dumb" }, true],
  ] as const)
    void it(`leaves colours out for ${why}`, async (test) => {
      const { context, stdout, stderr } = await testBed(test, env, isTTY);
      context.terminal.print(context.terminal.style("red", "bad"));
      context.terminal.note(context.terminal.style("green", "good"));
      assert.equal(stdout(), "bad\n");
      assert.equal(stderr(), "good\n");
    });

  void it("keeps what is said on the way out of the results", async (test) => {
    const { context, stdout } = await testBed(test);
    context.terminal.note("working");
    context.terminal.printJson({ done: true });
    assert.deepEqual(JSON.parse(stdout()), { done: true });
  });

  for (const [columns, isInteractive] of [
    [80, true],
    // A progress line redrawn in a width of 0 would never end.
    [0, false],
    [undefined, false],
  ] as const)
    void it(`${isInteractive ? "shows" : "shows no"} progress line with ${columns} columns`, () => {
      const output = { isTTY: true, columns, write: () => true };
      assert.equal(new Terminal(output, output, {}).isInteractive, isInteractive);
    });
});
