import assert from "node:assert/strict";
import { spawn, type ChildProcessByStdio } from "node:child_process";
import { once } from "node:events";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { hostname, userInfo } from "node:os";
import { join, resolve } from "node:path";
import { createInterface, type Interface } from "node:readline";
import type { Readable, Writable } from "node:stream";
import { describe, it, type TestContext } from "node:test";
import type { Context } from "./context";
import { StackLockedError } from "./errors";
import { writeFileAtomically } from "./files";
import { withStackLock } from "./stack-lock";
import { testBed } from "./testing/context";

const TIMEOUT = { timeout: 120_000 };

const lockFile = (context: Context): string => join(context.stateDir, "locks", "dev.json");

/** A folder that looks like a project to what chooses the backend. */
async function project(test: TestContext) {
  const bed = await testBed(test, { ...process.env, PULUMI_BACKEND_URL: "", PULUMI_HOME: "/none" });
  await writeFileAtomically(join(bed.context.root, "Pulumi.yaml"), "name: mlops\n");
  return bed;
}

const attempt = (context: Context): Promise<unknown> =>
  withStackLock(context, "dev", "./mlops up", () => Promise.resolve("done")).catch(
    (error: unknown) => error,
  );

/** A process of its own that takes the lock when it is told to. */
class Taker {
  private constructor(
    readonly process: ChildProcessByStdio<Writable, Readable, null>,
    private readonly lines: Interface,
  ) {}

  static async start(test: TestContext, root: string): Promise<Taker> {
    const child = spawn(
      process.execPath,
      ["--import", "tsx", resolve(__dirname, "testing", "hold-stack-lock.ts"), root],
      { stdio: ["pipe", "pipe", "inherit"], env: { ...process.env, PULUMI_HOME: "/none" } },
    );
    const taker = new Taker(child, createInterface({ input: child.stdout }));
    test.after(() => child.kill("SIGKILL"));
    await taker.answer();
    return taker;
  }

  /** Tells it to take the lock; `held` or `refused`. */
  async take(): Promise<string> {
    const answer = this.answer();
    this.process.stdin.write("\n");
    return answer;
  }

  async end(signal: NodeJS.Signals): Promise<void> {
    const ended = once(this.process, "exit");
    this.process.kill(signal);
    await ended;
  }

  private async answer(): Promise<string> {
    const [line] = (await once(this.lines, "line")) as [string];
    return line;
  }
}

void describe("withStackLock", TIMEOUT, () => {
  void it("is held as long as the work takes, and free after it, done or failed", async (test) => {
    const { context } = await project(test);
    const work = (): Promise<never> => {
      assert.ok(existsSync(lockFile(context)));
      return Promise.reject(new Error("no"));
    };
    await assert.rejects(withStackLock(context, "dev", "./mlops up", work), /^Error: no$/);
    assert.equal(await attempt(context), "done");
    assert.deepEqual(readdirSync(join(context.stateDir, "locks")), []);
  });

  void it("lets a command that holds it call another that takes it", async (test) => {
    const { context } = await project(test);
    const nested = withStackLock(context, "dev", "./mlops rollback", () => attempt(context));
    assert.equal(await nested, "done");
    assert.deepEqual(readdirSync(join(context.stateDir, "locks")), []);
  });

  void it("refuses while another process has it: who, where, what, and since when", async (test) => {
    const { context } = await project(test);
    const taker = await Taker.start(test, context.root);
    const before = new Date().toISOString();
    assert.equal(await taker.take(), "held");
    const error = await attempt(context);
    assert.ok(error instanceof StackLockedError);
    const owner = `${userInfo().username} (./mlops deploy v1, process ${taker.process.pid} on ${hostname()})`;
    assert.ok(error.message.includes(owner), error.message);
    const since = /since (\S+Z)/.exec(error.message)?.[1] ?? "";
    assert.ok(since >= before && since <= new Date().toISOString(), since);
    assert.ok(existsSync(lockFile(context)));
  });

  void it("keeps stacks apart", async (test) => {
    const { context } = await project(test);
    const taker = await Taker.start(test, context.root);
    assert.equal(await taker.take(), "held");
    const other = withStackLock(context, "prod", "./mlops up", () => Promise.resolve("done"));
    assert.equal(await other, "done");
  });

  void it("does not stay with a process that was killed, and says whose it was", async (test) => {
    const { context, stderr } = await project(test);
    const taker = await Taker.start(test, context.root);
    assert.equal(await taker.take(), "held");
    await taker.end("SIGKILL");
    assert.ok(existsSync(lockFile(context)));
    assert.equal(await attempt(context), "done");
    assert.match(
      stderr(),
      /Released the lock that .+ \(\.\/mlops deploy v1, process \d+ on .+ left/,
    );
  });

  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const)
    void it(`is released on ${signal}`, async (test) => {
      const { context } = await project(test);
      const taker = await Taker.start(test, context.root);
      assert.equal(await taker.take(), "held");
      await taker.end(signal);
      assert.deepEqual(readdirSync(join(context.stateDir, "locks")), []);
    });

  void it("goes to exactly one of many who find a dead owner's lock", async (test) => {
    const { context } = await project(test);
    const start = (): Promise<Taker> => Taker.start(test, context.root);
    const takers = new Set(await Promise.all(Array.from({ length: 8 }, start)));
    while (takers.size > 1) {
      const answers = await Promise.all(
        [...takers].map(async (taker) => ({ taker, answer: await taker.take() })),
      );
      const winners = answers.filter(({ answer }) => answer === "held");
      assert.equal(winners.length, 1, answers.map(({ answer }) => answer).join(" "));
      const [winner] = winners;
      assert.ok(winner !== undefined);
      // Its lock is what the others race for in the next round.
      await winner.taker.end("SIGKILL");
      takers.delete(winner.taker);
    }
  });

  void it("knows a later process that has the dead one's number", async (test) => {
    const { context } = await project(test);
    const lock = { ...(await anOwner()), pid: process.pid, start: "another boot:1" };
    await writeFileAtomically(lockFile(context), JSON.stringify(lock));
    assert.equal(await attempt(context), "done");
  });

  void it("leaves the lock of another host, and says how to remove it", async (test) => {
    const { context } = await project(test);
    const lock = { ...(await anOwner()), host: "elsewhere" };
    await writeFileAtomically(lockFile(context), JSON.stringify(lock));
    const error = await attempt(context);
    assert.ok(error instanceof StackLockedError);
    assert.match(error.message, /on elsewhere\)/);
    assert.ok(error.message.includes(`rm ${lockFile(context)}`), error.message);
    assert.equal(readFileSync(lockFile(context), "utf8"), JSON.stringify(lock));
  });

  void it("does not guess at a lock that cannot be read", async (test) => {
    const { context } = await project(test);
    await writeFileAtomically(lockFile(context), "{");
    const error = await attempt(context);
    assert.match(String(error), /cannot be read.+rm /s);
    assert.equal(readFileSync(lockFile(context), "utf8"), "{");
  });

  void it("refuses while a plain Pulumi holds the stack's own lock", async (test) => {
    const { context } = await project(test);
    const file = join(context.stateDir, "state/.pulumi/locks/organization/mlops/dev/0190.json");
    const timestamp = new Date().toISOString();
    const content = { pid: process.pid, username: "ada", hostname: hostname(), timestamp };
    await writeFileAtomically(file, JSON.stringify(content));
    const error = await attempt(context);
    assert.ok(error instanceof StackLockedError);
    assert.ok(error.message.includes(`ada (process ${process.pid} on ${hostname()})`));
    assert.deepEqual(readdirSync(join(context.stateDir, "locks")), []);
  });

  void it("refuses while the Pulumi of a killed command lives on", async (test) => {
    const { context } = await project(test);
    await writeFileAtomically(lockFile(context), JSON.stringify(await anOwner()));
    const script = 'process.stdout.write("ready"); setInterval(() => undefined, 1000)';
    const orphan = spawn(process.execPath, ["-e", script, "--", "up", "--stack", "dev"], {
      argv0: "pulumi",
      cwd: context.root,
      stdio: ["ignore", "pipe", "inherit"],
    });
    test.after(() => orphan.kill("SIGKILL"));
    await once(orphan.stdout, "data");
    for (const again of ["the first time", "and the next"]) {
      const error = await attempt(context);
      assert.ok(error instanceof StackLockedError, again);
      const owner = `${userInfo().username} (Pulumi, process ${orphan.pid} on ${hostname()})`;
      assert.ok(error.message.includes(owner), error.message);
    }
    const ended = once(orphan, "exit");
    orphan.kill();
    await ended;
    assert.equal(await attempt(context), "done");
  });

  void it("refuses while a plugin of a killed Pulumi still runs a command", async (test) => {
    const { context } = await project(test);
    const script = `
      const run = require("node:child_process").spawn("sleep", ["600"]);
      run.on("exit", () => process.stdout.write("idle"));
      process.stdin.on("data", () => run.kill());
      process.stdout.write("ready");`;
    const plugin = spawn(process.execPath, ["-e", script], {
      argv0: "pulumi-resource-command",
      cwd: context.root,
      stdio: ["pipe", "pipe", "inherit"],
    });
    test.after(() => plugin.kill("SIGKILL"));
    await once(plugin.stdout, "data");
    const error = await attempt(context);
    assert.ok(error instanceof StackLockedError);
    assert.match(error.message, /that was killed left running: sleep 600/);
    const idle = once(plugin.stdout, "data");
    plugin.stdin.write("stop");
    await idle;
    assert.equal(await attempt(context), "done");
  });
});

/** What a process of this host that has ended left in its lock. */
async function anOwner(): Promise<object> {
  const child = spawn("true");
  await once(child, "exit");
  return {
    token: "0123456789abcdef",
    pid: child.pid,
    user: "ada",
    host: hostname(),
    command: "./mlops deploy v1",
    since: new Date().toISOString(),
  };
}
