import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { resolve } from "node:path";
import { describe, it } from "node:test";
import { withLock } from "./lock";
import { testBed } from "./testing/context";

void describe("withLock", () => {
  void it("lets one at a time do the work, and says who waits", async (test) => {
    const { context, stderr } = await testBed(test);
    let inside = 0;
    const work = async (): Promise<void> => {
      inside += 1;
      assert.equal(inside, 1);
      await new Promise(setImmediate);
      inside -= 1;
    };
    await Promise.all([1, 2, 3].map(() => withLock(context, "thing", work)));
    assert.match(stderr(), /Waiting for another process that works on the thing/);
  });

  void it("is free again after the work failed", async (test) => {
    const { context } = await testBed(test);
    await assert.rejects(
      withLock(context, "thing", () => Promise.reject(new Error("no"))),
      /^Error: no$/,
    );
    assert.equal(await withLock(context, "thing", () => Promise.resolve("done")), "done");
  });

  void it("does not stay with a process that was killed", { timeout: 60_000 }, async (test) => {
    const { context } = await testBed(test);
    const holder = spawn(
      process.execPath,
      ["--import", "tsx", resolve(__dirname, "testing", "hold-lock.ts"), context.root],
      { stdio: ["ignore", "pipe", "inherit"] },
    );
    await once(holder.stdout, "data");
    holder.kill("SIGKILL");
    await once(holder, "exit");
    assert.equal(await withLock(context, "thing", () => Promise.resolve("done")), "done");
  });
});
