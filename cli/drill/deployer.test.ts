import assert from "node:assert/strict";
import { setTimeout as delay } from "node:timers/promises";
import { describe, it } from "node:test";
import { Deployer, type PrintedLine } from "./deployer";

/** Runs a shell script; `printed` resolves to its first line. */
function start(script: string): { deployer: Deployer; printed: Promise<PrintedLine> } {
  let tell: (line: PrintedLine) => void = () => undefined;
  const printed = new Promise<PrintedLine>((resolve) => (tell = resolve));
  const deployer = new Deployer({
    program: "sh",
    args: ["-c", script],
    cwd: "/",
    env: process.env,
    onLine: (line) => {
      tell(line);
    },
  });
  return { deployer, printed };
}

const isAlive = (pid: number): boolean => {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
};

void describe("a deployment in a session of its own", () => {
  void it("is told by its lines, in both outputs, and by its exit code", async () => {
    const { exitCode, lines } = await start("echo one; sleep 0.2; echo two >&2; exit 3").deployer
      .ended;
    assert.equal(exitCode, 3);
    assert.deepEqual(
      lines.map(({ text }) => text),
      ["one", "two"],
    );
    assert.ok((lines[0]?.at ?? 0) + 100 < (lines[1]?.at ?? 0));
  });

  void it("is killed together with what it started in process groups of its own", async () => {
    // With job control the shell gives its child a process group, as Pulumi does its plugins.
    // Without a terminal some shells complain of it, at a moment of their own.
    const { deployer, printed } = start("exec 2>/dev/null; set -m; sleep 300 & echo $!; wait");
    const child = Number((await printed).text);
    assert.ok(isAlive(child));
    await deployer.kill();
    const { exitCode } = await deployer.ended;
    assert.equal(exitCode, null);
    // Whoever adopted it has to collect it first.
    while (isAlive(child)) await delay(20);
  });

  void it("ends in good order when it is asked to", async () => {
    const { deployer, printed } = start(
      "trap 'echo bye; exit 7' TERM; echo on; while :; do sleep 0.1; done",
    );
    await printed;
    deployer.interrupt();
    const { exitCode, lines } = await deployer.ended;
    assert.equal(exitCode, 7);
    assert.equal(lines.at(-1)?.text, "bye");
  });
});
