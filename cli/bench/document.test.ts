import assert from "node:assert/strict";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, it } from "node:test";
import { CommandError } from "../errors";
import { temporaryFolder } from "../testing/context";
import { updateDocument } from "./document";

void describe("updateDocument", () => {
  void it("makes the document, and replaces only what it wrote itself", async (test) => {
    const file = join(await temporaryFolder(test), "docs", "measurements.md");
    await updateDocument(file, "bench", "first");
    await writeFile(file, `${await readFile(file, "utf8")}\nBy hand.\n`);
    await updateDocument(file, "bench", "second");
    const text = await readFile(file, "utf8");
    assert.match(text, /^# Measurements\n/);
    assert.match(text, /-->\n\nsecond\n\n<!--/);
    assert.doesNotMatch(text, /first/);
    assert.match(text, /By hand\.\n$/);
  });

  void it("leaves a document alone that has no place for it", async (test) => {
    const file = join(await temporaryFolder(test), "measurements.md");
    await writeFile(file, "By hand.\n");
    await assert.rejects(updateDocument(file, "bench", "x"), CommandError);
    assert.equal(await readFile(file, "utf8"), "By hand.\n");
  });
});
