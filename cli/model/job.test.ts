import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { after, before, describe, it, type TestContext } from "node:test";
import type Docker from "dockerode";
import { dockerClient } from "../docker";
import { CommandError, NotDeployedError, StepError } from "../errors";
import { runStep } from "../step";
import { testBed } from "../testing/context";
import { startIdleContainer, testTools } from "../testing/tools";
import { explained } from "./failure";
import { runJob } from "./job";

void describe("a job of the app's image", () => {
  const stack = `test-${randomBytes(3).toString("hex")}`;
  let docker: Docker;
  let app: Docker.Container;
  let network: Docker.Network;
  before(async () => {
    docker = await dockerClient();
    network = await docker.createNetwork({ Name: `mlops-${stack}-application`, Internal: true });
    const labels = { "mlops.stack": stack, "mlops.service": "app" };
    app = await startIdleContainer(docker, labels, { NetworkMode: network.id });
  });
  after(async () => {
    await app.remove({ force: true });
    await network.remove();
  });

  /** Runs a script as the job of a stack, as the commands do. */
  const run = async (test: TestContext, script: string, of = stack): Promise<unknown> => {
    const { context } = await testBed(test);
    const tools = await testTools(context);
    const command = ["sh", "-c", script];
    const request = { stack: of, task: "test", noun: "test job", command, retry: "again" };
    return runStep(context, { name: "test", title: "Testing", retry: "again" }, (step) =>
      explained(context, "test", () => runJob(tools, request, step)),
    );
  };

  void it("returns its result", async (test) => {
    const script = `echo '{"event":"started","step":"one"}'; echo noise; echo '{"event":"result","x":1}'`;
    assert.deepEqual(await run(test, script), { event: "result", x: 1 });
  });

  void it("runs hardened, and is gone afterwards", async (test) => {
    const script = `touch /x 2>/dev/null && exit 1; touch /tmp/x && echo '{"event":"result"}'`;
    await run(test, script);
    const filters = { label: [`mlops.stack=${stack}`] };
    assert.equal((await docker.listContainers({ all: true, filters })).length, 1);
  });

  void it("fails with the job's own words where it has some", async (test) => {
    const script = "echo 'error: no such version. Name another.' >&2; exit 1";
    await assert.rejects(run(test, script), (error) => {
      assert.ok(error instanceof CommandError && !(error instanceof StepError));
      assert.match(error.message, /^No such version\. Name another\. /);
      return true;
    });
  });

  void it("fails with the end of its log where it has none", async (test) => {
    await assert.rejects(run(test, "echo boom >&2; exit 3"), (error) => {
      assert.ok(error instanceof StepError);
      assert.match(error.logTail, /boom/);
      assert.match(error.message, /exit code 3/);
      return true;
    });
  });

  void it("fails when it ends well without a result", (test) =>
    assert.rejects(run(test, "true"), StepError));

  void it("says that the running release is too old for a command", (test) =>
    assert.rejects(run(test, "exit 2"), /release is older/));

  void it("does not run beside another one, which is named", async (test) => {
    const first = await docker.createContainer({
      name: `mlops-${stack}-test`,
      Image: (await app.inspect()).Image,
      Cmd: ["sleep", "infinity"],
    });
    await first.start();
    test.after(() => first.remove({ force: true }));
    await assert.rejects(run(test, "true"), /runs already .*docker stop/);
  });

  void it("takes the place of one that ended without being removed", async (test) => {
    await docker.createContainer({
      name: `mlops-${stack}-test`,
      Image: (await app.inspect()).Image,
      Cmd: ["true"],
    });
    assert.deepEqual(await run(test, `echo '{"event":"result"}'`), { event: "result" });
  });

  void it("needs an app that runs", (test) =>
    assert.rejects(run(test, "true", `${stack}-none`), NotDeployedError));
});
