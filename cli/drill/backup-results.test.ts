import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { sealManifest, type Manifest } from "../../backup/manifest";
import type { Sample } from "../load/protocol";
import { summarizeLoad, type LoadSummary } from "../load/summary";
import { backupFindings } from "./backup-results";
import type { BackupDrillResult, BackupRound } from "./backup";

/** A load of which every answer took so long. */
function loadOf(milliseconds: number, failure?: Sample["failure"]): LoadSummary {
  const sample = (dueAt: number): Sample => ({
    kind: "load",
    connection: "new",
    method: "GET",
    dueAt,
    sentAt: dueAt,
    endedAt: dueAt + milliseconds,
    ...(failure === undefined ? {} : { failure }),
  });
  return summarizeLoad([0, 20, 40].map(sample));
}

function manifestOf(lockedMs: number): Manifest {
  return sealManifest({
    format: 1,
    set: "20261123T090000Z",
    stack: "drill",
    reason: "manual",
    sequence: 1,
    startedAt: "2026-11-23T09:00:00.000Z",
    finishedAt: "2026-11-23T09:00:09.000Z",
    complete: true,
    verified: true,
    problems: [],
    tools: { pgbackrest: "2.55.1", restic: "0.18.0" },
    postgres: {
      label: "20261123-090000F",
      version: "17.6",
      systemId: "1",
      restorePoint: "20261123T090000Z",
      startLsn: "0/1",
      stopLsn: "0/2",
      bytes: 2 ** 20 * 50,
      repositoryBytes: 1,
      sha256: "",
      lockedMs,
      databases: {},
    },
    files: { mlflow: null, app: null, redis: null, stack: null },
    images: {},
    version: "v1.0.0",
    models: [],
    seconds: { postgres: 3, verify: 2 },
  });
}

const round = (without: number, during: number, lockedMs: number): BackupRound => ({
  without: loadOf(without),
  with: loadOf(during),
  seconds: 9,
  manifest: manifestOf(lockedMs),
});

/** Rounds that drift: the machine gets slower, the backup's share does not. */
const RESULT: BackupDrillResult = {
  rounds: [round(10, 11, 3), round(100, 120, 5), round(200, 300, 4)],
  load: loadOf(10),
  predictionLog: { answered: 3, lost: 0, doubled: 0 },
};

void describe("findings of a backup drill", () => {
  const rowOf = (name: string): readonly string[] | undefined =>
    backupFindings(RESULT)
      .tables.flatMap(({ rows }) => rows)
      .find(([first]) => first === name)
      ?.slice(1);

  void it("compare within each round, and take the middle of the rounds", () => {
    assert.deepEqual(rowOf("p95 ms"), ["100.0", "120.0", "1.20"]);
    assert.deepEqual(rowOf("requests"), ["9", "9", ""]);
  });

  void it("tell how long writers waited, and how long each service took", () => {
    assert.deepEqual(rowOf("writers waited, ms"), ["4.0", "3.0 – 5.0"]);
    assert.deepEqual(rowOf("postgres, s"), ["3.00", "3.00 – 3.00"]);
    assert.match(backupFindings(RESULT).tables[1]?.title ?? "", /3, of 50 MiB each/);
  });

  void it("fail when a request failed, and when a POST was lost or doubled", () => {
    assert.equal(backupFindings(RESULT).passed, true);
    for (const wrong of [
      { load: loadOf(10, "reset") },
      { predictionLog: { answered: 3, lost: 1, doubled: 0 } },
      { predictionLog: { answered: 3, lost: 0, doubled: 1 } },
    ])
      assert.equal(backupFindings({ ...RESULT, ...wrong }).passed, false);
  });
});
