import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { isReleaseTag } from "./release-tag";

void describe("what the app runs", () => {
  for (const tag of ["v1.0.0", "2026-11-23", "1f0c2a9b77d"])
    void it(`is a release: ${tag}`, () => {
      assert.equal(isReleaseTag(tag), true);
    });
  for (const version of ["", "11458092429b"])
    void it(`is the content of app/: "${version}"`, () => {
      assert.equal(isReleaseTag(version), false);
    });
});
