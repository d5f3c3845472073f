import assert from "node:assert/strict";
import { readdir, readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { describe, it } from "node:test";
import { writeFileAtomically } from "./files";
import { temporaryFolder } from "./testing/context";

void describe("writeFileAtomically", () => {
  void it("makes folders, sets the mode and leaves nothing else behind", async (test) => {
    const folder = join(await temporaryFolder(test), "a", "b");
    await writeFileAtomically(join(folder, "secret"), "x", 0o600);
    assert.equal(await readFile(join(folder, "secret"), "utf8"), "x");
    assert.equal((await stat(join(folder, "secret"))).mode & 0o777, 0o600);
    assert.deepEqual(await readdir(folder), ["secret"]);
  });

  void it("keeps the old content when the new cannot be written", async (test) => {
    const folder = await temporaryFolder(test);
    await writeFileAtomically(join(folder, "file"), "old");
    // A folder in the place of the temporary file makes writing fail.
    await writeFileAtomically(join(folder, `file.${process.pid}.partial`, "in-the-way"), "x");
    await assert.rejects(writeFileAtomically(join(folder, "file"), "new"));
    assert.equal(await readFile(join(folder, "file"), "utf8"), "old");
  });
});
