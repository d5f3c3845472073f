import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { resolve } from "node:path";
import { describe, it, type TestContext } from "node:test";
import type { Config } from "../config";
import type { Context } from "./context";
import { ImageNotFoundError } from "./errors";
import { bytesOfImages, requireImages } from "./images";
import type { Tools } from "./setup";
import { BASE_IMAGE } from "./setup/base-image";
import { loadConfig } from "./stack-config";
import { testBed } from "./testing/context";
import { nameImage } from "./testing/images";
import { testTools } from "./testing/tools";

const ROOT = resolve(__dirname, "..");

interface World {
  readonly context: Context;
  readonly tools: Tools;
  readonly config: Config;
  readonly tag: string;
}

/** The project's own configuration of staging, with a TAG that only the test has. */
async function world(test: TestContext): Promise<World> {
  const tag = `test-${randomBytes(4).toString("hex")}`;
  const env = { ...process.env, TAG: tag, REGISTRY: "" };
  const bed = await testBed(test, env);
  const context = { ...bed.context, root: ROOT };
  const tools = await testTools(context);
  return { context, tools, config: loadConfig(context, "staging"), tag };
}

void describe("the images that a deployment needs", () => {
  void it("are as large as the release's own, where it is on the host", async (test) => {
    const { context, tools, config, tag } = await world(test);
    assert.equal(await bytesOfImages(context, tools, config), 0);
    const { Id, Size } = await tools.docker.getImage(BASE_IMAGE).inspect();
    await nameImage(tools.docker, Id, `mlops-app:${tag}`);
    test.after(() => tools.docker.getImage(`mlops-app:${tag}`).remove());
    assert.equal(await bytesOfImages(context, tools, config), Size);
    await requireImages(context, tools, config, "./mlops up");
  });

  void it("are missing with the command that builds the release", async (test) => {
    const { context, tools, config, tag } = await world(test);
    await assert.rejects(requireImages(context, tools, config, "./mlops up"), (error) => {
      assert.ok(error instanceof ImageNotFoundError);
      assert.ok(error.fix.includes(`./mlops build ${tag}`), error.fix);
      return true;
    });
  });
});
