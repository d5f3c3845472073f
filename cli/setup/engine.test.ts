import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { describe, it } from "node:test";
import { join } from "node:path";
import { writeFileAtomically } from "../files";
import { testBed } from "../testing/context";
import { ensureEngine, stopOwnEngine } from "./engine";

void describe("ensureEngine", () => {
  void it("uses an engine that answers as it is", async (test) => {
    const { context, stderr } = await testBed(test);
    const { docker, started } = await ensureEngine(context, "./mlops up");
    assert.equal(started, false);
    assert.ok((await docker.version()).Version);
    assert.equal(stderr(), "");
  });
});

void describe("stopOwnEngine", () => {
  void it("does nothing where this project started none", async (test) => {
    const { context } = await testBed(test);
    await stopOwnEngine(context);
  });

  void it("leaves a process alone that only has the number of an engine that is gone", async (test) => {
    const { context } = await testBed(test);
    const other = spawn("sleep", ["60"]);
    test.after(() => other.kill());
    await writeFileAtomically(join(context.cacheDir, "dockerd.pid"), `${other.pid}\n`);
    await stopOwnEngine(context);
    assert.equal(other.exitCode, null);
    assert.equal(other.signalCode, null);
  });
});
