import assert from "node:assert/strict";
import { join } from "node:path";
import { describe, it, type TestContext } from "node:test";
import type Docker from "dockerode";
import { dockerClient } from "./docker";
import { writeFileAtomically } from "./files";
import { ForeignStackError, recover } from "./recovery";
import { testBed } from "./testing/context";
import { startIdleContainer, testTools } from "./testing/tools";

interface Resource {
  readonly urn: string;
  readonly type: string;
  readonly id: string;
}

/** A stack's leftovers on the Docker host, and its state. */
class Scene {
  readonly stack = `recovery-${process.pid}-${Math.random().toString(36).slice(2, 8)}`;

  private constructor(
    private readonly test: TestContext,
    readonly docker: Docker,
  ) {}

  static async of(test: TestContext): Promise<Scene> {
    return new Scene(test, await dockerClient());
  }

  async container(labels: Readonly<Record<string, string>> = {}): Promise<string> {
    const own = { "mlops.stack": this.stack, "mlops.service": "app" };
    const container = await startIdleContainer(this.docker, { ...own, ...labels });
    this.test.after(() => container.remove({ force: true }).catch(() => undefined));
    return container.id;
  }

  async network(): Promise<string> {
    const network = await this.docker.createNetwork({
      Name: `${this.stack}-${Math.random().toString(36).slice(2, 8)}`,
      Labels: { "mlops.stack": this.stack },
    });
    this.test.after(() => network.remove().catch(() => undefined));
    return network.id;
  }

  /** The stack, of which no operation is expected. */
  private handle(): Parameters<typeof recover>[2] {
    const unexpected = (): never => assert.fail("no operation was expected");
    return { name: this.stack, exportStack: unexpected, refresh: unexpected };
  }

  /** Recovers with a state that knows these IDs; returns what is still there. */
  async recover(known: readonly string[], adopt = false): Promise<string[]> {
    const { context } = await testBed(this.test);
    const tools = await testTools(context);
    const resources = known.map((id): Resource => ({ urn: `urn:${id}`, type: "docker:x:X", id }));
    await writeFileAtomically(
      join(context.root, "state/.pulumi/stacks/mlops", `${this.stack}.json`),
      JSON.stringify({ version: 3, checkpoint: { latest: { resources } } }),
    );
    await recover(context, tools, this.handle(), adopt, "./mlops up");
    const filters = { label: [`mlops.stack=${this.stack}`] };
    const containers = await this.docker.listContainers({ all: true, filters });
    const networks = await this.docker.listNetworks({ filters });
    return [...containers, ...networks].map(({ Id }) => Id).sort();
  }
}

void describe("recover", () => {
  void it("removes containers and networks that did not make it into the state, and no others", async (test) => {
    const scene = await Scene.of(test);
    const kept = [await scene.container(), await scene.network()];
    await scene.container();
    await scene.network();
    assert.deepEqual(await scene.recover(kept), kept.sort());
  });

  void it("leaves one-off tasks to end by themselves", async (test) => {
    const scene = await Scene.of(test);
    const known = await scene.container();
    const task = await scene.container({ "mlops.task": "train" });
    assert.deepEqual(await scene.recover([known]), [known, task].sort());
  });

  void it("does not take over what another state deployed, unless it is told to", async (test) => {
    const scene = await Scene.of(test);
    const foreign = await scene.container();
    await assert.rejects(scene.recover([]), (error) => {
      assert.ok(error instanceof ForeignStackError);
      assert.ok(error.message.includes(`./mlops up --stack ${scene.stack} --adopt`));
      return true;
    });
    assert.equal((await scene.docker.getContainer(foreign).inspect()).State.Running, true);
    assert.deepEqual(await scene.recover([], true), []);
  });

  void it("leaves other stacks alone", async (test) => {
    const [scene, other] = [await Scene.of(test), await Scene.of(test)];
    const known = await scene.container();
    const others = await other.container();
    await scene.recover([known]);
    assert.equal((await scene.docker.getContainer(others).inspect()).State.Running, true);
  });
});
