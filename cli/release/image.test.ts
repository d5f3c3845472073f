import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { describe, it, type TestContext } from "node:test";
import { CommandError } from "../errors";
import { inspectImage } from "../images";
import { testBed, type TestBed } from "../testing/context";
import { makeImage, removeImages } from "../testing/images";
import { testTools } from "../testing/tools";
import type { Tools } from "../setup";
import { ensureSameImage } from "./image";

const RETRY = "./mlops promote --from staging --to prod";

interface World extends TestBed {
  readonly tools: Tools;
  /** Name of a release's image on this host, the test's own. */
  readonly reference: string;
  readonly image: (...names: string[]) => Promise<string>;
}

async function world(test: TestContext): Promise<World> {
  const bed = await testBed(test);
  const tools = await testTools(bed.context);
  const images: string[] = [];
  test.after(() => removeImages(tools.docker, images));
  return {
    ...bed,
    tools,
    reference: `mlops-app:test-${randomBytes(4).toString("hex")}`,
    image: async (...names) => {
      const image = await makeImage(tools.docker, {}, ...names);
      images.push(image);
      return image;
    },
  };
}

void describe("ensureSameImage", () => {
  void it("has nothing to do where the name stands for the image", async (test) => {
    const { context, tools, reference, image } = await world(test);
    const id = await image(reference);
    await ensureSameImage(context, tools, reference, id, RETRY);
  });

  void it("gives the name to an image that is here under another", async (test) => {
    const { context, tools, reference, image } = await world(test);
    const id = await image(`${reference}-other`);
    await ensureSameImage(context, tools, reference, id, RETRY);
    assert.equal((await inspectImage(tools.docker, reference))?.Id, id);
  });

  void it("refuses a name that stands for another image, and leaves it", async (test) => {
    const { context, tools, reference, image } = await world(test);
    const [here, expected] = [await image(reference), await image()];
    await assert.rejects(ensureSameImage(context, tools, reference, expected, RETRY), (error) => {
      assert.ok(error instanceof CommandError);
      for (const part of [here, expected, reference]) assert.ok(error.problem.includes(part));
      assert.ok(error.fix.includes(RETRY));
      return true;
    });
    assert.equal((await inspectImage(tools.docker, reference))?.Id, here);
  });

  void it("says that an image is nowhere, where there is no registry to ask", async (test) => {
    const { context, tools, reference } = await world(test);
    const missing = `sha256:${randomBytes(32).toString("hex")}`;
    await assert.rejects(
      ensureSameImage(context, tools, reference, missing, RETRY),
      (error) =>
        error instanceof CommandError &&
        error.problem.includes(missing) &&
        /no registry is set/.test(error.problem),
    );
  });
});
