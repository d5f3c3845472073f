import assert from "node:assert/strict";
import { describe, it, type TestContext } from "node:test";
import { newestManifest, requireRecentBackup } from "./backup-age";
import type { Context } from "./context";
import { BackupAgeError, UnreadableFileError } from "./errors";
import { writeFileAtomically } from "./files";
import { testBed } from "./testing/context";

const NOW = new Date("2026-03-01T12:00:00Z");

/** A project whose stack has these words as the manifest of its newest backup. */
async function project(test: TestContext, manifest?: string): Promise<Context> {
  const { context } = await testBed(test);
  if (manifest !== undefined) await writeFileAtomically(newestManifest(context, "prod"), manifest);
  return context;
}

const backedUp = (finishedAt: string, verified = true): string =>
  JSON.stringify({ finishedAt, verified });
const config = (maxAgeHours: number) => ({ stack: "prod", backup: { schedule: "", maxAgeHours } });

void describe("requireRecentBackup", () => {
  void it("asks for none where the stack does not", async (test) => {
    await requireRecentBackup(await project(test), config(0), NOW);
  });

  void it("accepts one that is as old as it may be", async (test) => {
    const context = await project(test, backedUp("2026-02-28T12:00:00Z"));
    await requireRecentBackup(context, config(24), NOW);
  });

  const refused: [string, string | undefined, RegExp][] = [
    [
      "a missing one",
      undefined,
      /There is no backup: .*prod\/latest\/manifest\.json does not exist/,
    ],
    [
      "one that is too old, with its age and the limit",
      backedUp("2026-02-28T11:59:00Z"),
      /is 1 d old \(2026-02-28T11:59:00Z\)\. .*at most 24 h old \(backupMaxAge\)/,
    ],
    ["one that is not verified", backedUp("2026-03-01T11:00:00Z", false), /is not verified/],
    ["one that does not say so", '{"finishedAt":"2026-03-01T11:00:00Z"}', /is not verified/],
    ["one without a time", '{"verified":true}', /does not say when/],
    ["one with a time that is none", backedUp("yesterday"), /does not say when/],
    ["one that says nothing", "null", /does not say when/],
  ];
  for (const [what, manifest, cause] of refused)
    void it(`refuses ${what}`, async (test) => {
      const context = await project(test, manifest);
      await assert.rejects(requireRecentBackup(context, config(24), NOW), (error) => {
        assert.ok(error instanceof BackupAgeError);
        assert.match(error.message, cause);
        assert.match(error.fix, /pulumi config set backupMaxAge 0 --stack prod/);
        return true;
      });
    });

  void it("refuses one whose manifest is damaged", async (test) => {
    const context = await project(test, '{"finishedAt"');
    await assert.rejects(requireRecentBackup(context, config(24), NOW), UnreadableFileError);
  });
});
