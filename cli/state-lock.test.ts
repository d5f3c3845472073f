import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { hostname } from "node:os";
import { join } from "node:path";
import { describe, it, type TestContext } from "node:test";
import { StackLockedError } from "./errors";
import { writeFileAtomically } from "./files";
import { releaseDeadLocks } from "./state-lock";
import { testBed, type TestBed } from "./testing/context";
import { testTools } from "./testing/tools";

/** Writes a lock file as Pulumi does; returns its path. */
async function lock(bed: TestBed, content: Readonly<Record<string, unknown>>): Promise<string> {
  const folder = join(bed.context.root, "state/.pulumi/locks/organization/mlops/dev");
  const file = join(folder, "0190.json");
  const defaults = {
    username: "ada",
    hostname: hostname(),
    timestamp: new Date().toISOString(),
  };
  await writeFileAtomically(file, JSON.stringify({ ...defaults, ...content }));
  return file;
}

async function deadPid(): Promise<number> {
  const child = spawn("true");
  await once(child, "exit");
  assert.ok(child.pid);
  return child.pid;
}

async function release(test: TestContext, content: Readonly<Record<string, unknown>>) {
  const bed = await testBed(test);
  const file = await lock(bed, content);
  const result = await releaseDeadLocks(bed.context, await testTools(bed.context), "dev").then(
    () => undefined,
    (error: unknown) => error,
  );
  return { result, isLocked: existsSync(file), said: bed.stderr() };
}

void describe("releaseDeadLocks", () => {
  void it("removes the lock of a dead process, and says whose it was", async (test) => {
    const { result, isLocked, said } = await release(test, { pid: await deadPid() });
    assert.equal(result, undefined);
    assert.equal(isLocked, false);
    assert.match(said, /Released the lock that ada \(process \d+ on .+\) left on stack "dev"/);
  });

  void it("leaves the lock of a living process, naming owner, host and since when", async (test) => {
    const since = new Date().toISOString();
    const { result, isLocked } = await release(test, { pid: process.pid, timestamp: since });
    assert.ok(result instanceof StackLockedError);
    assert.ok(result.message.includes(`ada (process ${process.pid} on ${hostname()})`));
    assert.ok(result.message.includes(since));
    assert.equal(isLocked, true);
  });

  void it("leaves the lock of another host, whatever runs here", async (test) => {
    const content = { pid: await deadPid(), hostname: "elsewhere" };
    const { result, isLocked } = await release(test, content);
    assert.ok(result instanceof StackLockedError);
    assert.equal(isLocked, true);
  });

  void it("knows a process that only has the number of the dead one", async (test) => {
    const content = { pid: process.pid, timestamp: "2020-01-01T00:00:00Z" };
    const { result, isLocked } = await release(test, content);
    assert.equal(result, undefined);
    assert.equal(isLocked, false);
  });

  void it("does nothing where there is no lock", async (test) => {
    const { context, stderr } = await testBed(test);
    await releaseDeadLocks(context, await testTools(context), "dev");
    assert.equal(stderr(), "");
  });
});
