import assert from "node:assert/strict";
import { join } from "node:path";
import { describe, it } from "node:test";
import { DiskFullError } from "./errors";
import { requireFreeSpace } from "./preflight";
import { temporaryFolder } from "./testing/context";

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
