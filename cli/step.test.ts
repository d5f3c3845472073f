import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, it } from "node:test";
import { CommandError, StepError } from "./errors";
import { runStep } from "./step";
import { testBed } from "./testing/context";

const request = { name: "demo", title: "Doing it", retry: "./mlops up" };

void describe("runStep", () => {
  void it("says start and end with the seconds, and keeps the output in the log", async (test) => {
    const { context, stderr, stdout } = await testBed(test);
    const result = await runStep(context, request, async (step) => {
      await step.run("sh", ["-c", "echo out; echo err >&2"]);
      return step.doing;
    });
    assert.match(result, /^(out|err)$/);
    assert.match(stderr(), /^Doing it …\nDoing it: done in \d+ s\n$/);
    assert.equal(stdout(), "");
    const log = await readFile(join(context.stateDir, "logs", "demo.log"), "utf8");
    assert.deepEqual(log.trim().split("\n").sort(), [
      "$ sh -c echo out; echo err >&2",
      "err",
      "out",
    ]);
  });

  void it("names the cause, the end of the log and the command to retry", async (test) => {
    const { context, stderr } = await testBed(test);
    const work = runStep(context, request, (step) =>
      step.run("sh", ["-c", "seq 100; echo broken; exit 3"]),
    );
    await assert.rejects(work, (error) => {
      assert.ok(error instanceof StepError);
      assert.match(error.message, /Doing it failed: .*exit code 3/);
      assert.match(error.message, /demo\.log/);
      assert.match(error.message, /\.\/mlops up/);
      assert.match(error.logTail, /\n100\nbroken$/);
      assert.doesNotMatch(error.logTail, /^1$/m);
      return true;
    });
    assert.match(stderr(), /failed after \d+ s/);
  });

  void it("passes on an error that already names cause and fix", async (test) => {
    const { context } = await testBed(test);
    const refusal = new CommandError("It cannot be.", "Let it be.");
    await assert.rejects(
      runStep(context, request, () => Promise.reject(refusal)),
      refusal,
    );
  });

  void it("says when a program is missing", async (test) => {
    const { context } = await testBed(test);
    const work = runStep(context, request, (step) => step.run("no-such-program", []));
    await assert.rejects(work, /ENOENT: no-such-program\./);
  });

  void it("gives programs the caller's environment with additions, and nothing else", async (test) => {
    const { context } = await testBed(test, { PATH: process.env["PATH"], KEPT: "1" });
    const said = await runStep(context, request, async (step) => {
      await step.run("sh", ["-c", 'echo "$KEPT $ADDED ${HOME-no home}"'], { env: { ADDED: "2" } });
      return step.doing;
    });
    assert.equal(said, "1 2 no home");
  });
});
