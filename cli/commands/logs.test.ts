import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { dockerClient } from "../docker";
import { mlops } from "../testing/program";
import { startLogger } from "../testing/tools";
import { parseSince } from "./logs";

void describe("parseSince", () => {
  const now = Date.now() / 1000;
  for (const [text, seconds] of [
    ["30s", 30],
    ["10m", 600],
    ["2h", 7200],
    ["3d", 259_200],
  ] as const)
    void it(`${text} is ${seconds} seconds ago`, () => {
      assert.ok(Math.abs(parseSince(text) - (now - seconds)) < 5);
    });

  void it("takes dates", () => {
    assert.equal(parseSince("2026-01-31T08:00:00Z"), 1_769_846_400);
  });

  for (const text of ["", "soon", "10", "m10", "-5m"])
    void it(`refuses "${text}"`, () => {
      assert.throws(() => parseSince(text), /Expected a span/);
    });
});

void describe("./mlops logs", () => {
  const stack = `logs-test-${process.pid}`;

  void it("prints both outputs of every service with its name, or of one without", async (test) => {
    const docker = await dockerClient();
    const script = "echo to stdout; echo to stderr >&2";
    for (const service of ["one", "another"]) {
      const container = await startLogger(docker, stack, service, script);
      test.after(() => container.remove({ force: true }));
    }
    const all = await mlops(["logs", "--stack", stack]);
    assert.equal(all.exitCode, 0);
    assert.deepEqual(all.stdout.split("\n").sort(), [
      "another | to stderr",
      "another | to stdout",
      "one     | to stderr",
      "one     | to stdout",
    ]);
    const one = await mlops(["logs", "one", "--stack", stack, "--tail", "1"]);
    assert.equal(one.stdout.split("\n").length, 1);
    assert.match(one.stdout, /^to std(out|err)$/);
    const none = await mlops(["logs", "nobody", "--stack", stack]);
    assert.equal(none.exitCode, 1);
    assert.match(none.stderr, /has no service "nobody"\. Its services are: another, one\./);
  });

  void it("says when nothing is deployed", async () => {
    const { exitCode, stderr } = await mlops(["logs", "--stack", "never-deployed"]);
    assert.equal(exitCode, 1);
    assert.match(
      stderr,
      /"never-deployed" is not deployed\. Deploy it with: \.\/mlops up --stack never-deployed/,
    );
  });
});
