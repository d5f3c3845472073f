import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { checkBackupAge } from "./backup-age";
import { BackupAgeError } from "./errors";

const NOW = new Date("2026-03-01T12:00:00Z");
const CONFIG = { stack: "prod", backup: { maxAgeHours: 24 } };

const set = (finishedAt: string, complete = true, verified = true) => ({
  set: "20260228T110000Z",
  finishedAt,
  complete,
  verified,
});

void describe("the age of the newest backup", () => {
  void it("may be what the configuration says", () => {
    checkBackupAge(CONFIG, [set("2026-02-28T12:00:00Z")], NOW);
  });

  void it("is that of the newest good one, whatever failed since", () => {
    checkBackupAge(
      CONFIG,
      [set("2026-03-01T11:00:00Z"), set("2026-03-01T11:30:00Z", false, true)],
      NOW,
    );
  });

  for (const [what, sets, cause] of [
    ["a missing one", [], /There is no backup/],
    ["one that is too old", [set("2026-02-28T11:59:00Z")], /is 1 d old .*at most 24 h old/],
    [
      "one that is not verified",
      [set("2026-03-01T11:00:00Z", true, false)],
      /No backup is complete/,
    ],
    ["one that is not complete", [set("2026-03-01T11:00:00Z", false)], /No backup is complete/],
  ] as const)
    void it(`refuses ${what}`, () => {
      assert.throws(
        () => {
          checkBackupAge(CONFIG, sets, NOW);
        },
        (error) => {
          assert.ok(error instanceof BackupAgeError);
          assert.match(error.message, cause);
          assert.match(error.fix, /pulumi config set backupMaxAge 0 --stack prod/);
          return true;
        },
      );
    });
});
