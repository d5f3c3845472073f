import assert from "node:assert/strict";
import { join, resolve } from "node:path";
import { describe, it } from "node:test";
import type { Config } from "../config";
import type { Context } from "./context";
import { DiskFullError } from "./errors";
import { keepWayBack, requireFreeSpace } from "./preflight";
import { BASE_IMAGE } from "./setup/base-image";
import { loadConfig } from "./stack-config";
import { temporaryFolder, testBed } from "./testing/context";
import { testTools } from "./testing/tools";

const ROOT = resolve(__dirname, "..");

void describe("requireFreeSpace", () => {
  void it("accepts a disk with room, for a folder that does not exist yet", async (test) => {
    await requireFreeSpace(join(await temporaryFolder(test), "a/b/c"), 1);
  });

  void it("says how much is free and how much is needed", async (test) => {
    const folder = await temporaryFolder(test);
    await assert.rejects(requireFreeSpace(folder, 2 ** 60), (error) => {
      assert.ok(error instanceof DiskFullError);
      assert.match(
        error.message,
        /Only \d+\.\d GiB are free .*; 1073741824\.0 GiB are needed\. Nothing was changed\./,
      );
      return true;
    });
  });
});

void describe("keepWayBack", () => {
  const config = (context: Context): Config => loadConfig(context, "dev");

  void it("says that the image of the last release that passed is lost", async (test) => {
    const bed = await testBed(test, { ...process.env, REGISTRY: "" });
    const context = { ...bed.context, root: ROOT };
    const image = `sha256:${"0".repeat(64)}`;
    const ledger = [
      { tag: "v2", image: "sha256:1", passed: false },
      { tag: "v1-lost", image, passed: true },
    ];
    await keepWayBack(context, await testTools(context), config(context), ledger, "./mlops up");
    assert.match(bed.stderr(), /no way back to v1-lost, .* is lost\. .*mlops-app:v1-lost/);
  });

  void it("says nothing where the image is there, and where nothing has passed yet", async (test) => {
    const bed = await testBed(test);
    const context = { ...bed.context, root: ROOT };
    const tools = await testTools(context);
    const { Id } = await tools.docker.getImage(BASE_IMAGE).inspect();
    for (const ledger of [
      [{ tag: "v1", image: Id, passed: true }],
      [{ tag: "v1", image: "sha256:1", passed: false }],
      [],
    ])
      await keepWayBack(context, tools, config(context), ledger, "./mlops up");
    assert.equal(bed.stderr(), "");
  });
});
