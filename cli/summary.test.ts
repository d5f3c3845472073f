import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { hasChanges, summarize } from "./summary";

void describe("summary", () => {
  void it("says that nothing changed", () => {
    assert.equal(hasChanges({ same: 40, read: 1, refresh: 2 }), false);
    assert.equal(summarize({ same: 40 }, "done"), "No changes: 40 unchanged.");
  });

  void it("counts by what was done", () => {
    const changes = { same: 40, create: 3, replace: 1, delete: 2, update: 5 };
    assert.equal(hasChanges(changes), true);
    assert.equal(
      summarize(changes, "done"),
      "3 created, 5 updated, 1 replaced, 2 deleted, 40 unchanged.",
    );
  });

  void it("counts by what would be done", () => {
    assert.equal(summarize({ create: 1 }, "planned"), "1 to create, 0 unchanged.");
  });
});
