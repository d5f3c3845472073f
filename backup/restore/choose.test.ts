import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { Manifest } from "../manifest";
import { choose, type Known, type Rules, type Wish } from "./choose";

const RULES: Rules = {
  stack: "prod",
  postgresMajor: "17",
  unverified: false,
  now: new Date("2026-11-24T12:00:00Z"),
};

/** A verified set of the stack, finished at that hour of the day before. */
function made(hour: number, changes: Partial<Manifest> = {}): Manifest {
  const hh = String(hour).padStart(2, "0");
  return {
    format: 1,
    set: `20261123T${hh}0000Z`,
    stack: "prod",
    reason: "schedule",
    sequence: hour,
    startedAt: `2026-11-23T${hh}:00:00.000Z`,
    finishedAt: `2026-11-23T${hh}:01:00.000Z`,
    complete: true,
    verified: true,
    problems: [],
    tools: { pgbackrest: "2.55", restic: "0.18" },
    postgres: {
      label: `20261123-${hh}0000F`,
      version: "17.6",
      systemId: "1",
      restorePoint: "",
      startLsn: "0/1",
      stopLsn: "0/2",
      bytes: 1,
      repositoryBytes: 1,
      sha256: "",
      lockedMs: 1,
      databases: {},
    },
    files: { mlflow: null, app: null, redis: null, stack: null },
    images: {},
    version: "v1.0.0",
    models: [],
    seconds: {},
    sha256: "",
    ...changes,
  };
}

const SETS = [made(20), made(4), made(12)];
const at = (time: string): Wish => ({ kind: "time", at: new Date(time) });
const set = (name: string): Wish => ({ kind: "set", set: name });

const BROKEN = { set: "20261123T000000Z", reason: "its checksum is wrong" };

const known = (sets: readonly Manifest[]): Known => ({
  sets,
  broken: [BROKEN],
  latest: "20261123T120000Z",
});

function chosen(wish: Wish, sets: readonly Manifest[] = SETS): (string | undefined)[] {
  const { base, files } = choose(known(sets), wish, RULES);
  return [base.set, files.set];
}

function refused(wish: Wish, sets: readonly Manifest[], pattern: RegExp): void {
  assert.throws(
    () => choose({ ...known(sets), latest: undefined }, wish, RULES),
    (error: Error) => {
      assert.match(error.message, pattern);
      assert.match(error.message, /nothing was changed/i);
      return true;
    },
  );
}

void describe("the choice of a set", () => {
  void it("is the one that is named, and the newest verified by its name", () => {
    assert.deepEqual(chosen(set("20261123T040000Z")), ["20261123T040000Z", "20261123T040000Z"]);
    const { wish } = choose(known(SETS), set("latest"), RULES);
    assert.deepEqual(wish, set("20261123T120000Z"));
  });

  void it("is for a moment the last database before and the first files after it", () => {
    assert.deepEqual(chosen(at("2026-11-23T13:00:00Z")), ["20261123T120000Z", "20261123T200000Z"]);
    // A set that was still being made then cannot be the start.
    assert.deepEqual(chosen(at("2026-11-23T12:00:30Z")), ["20261123T040000Z", "20261123T120000Z"]);
    assert.deepEqual(chosen(at("2026-11-24T11:00:00Z")), ["20261123T200000Z", "20261123T200000Z"]);
  });

  void it("is for the end the newest by number, whatever the clock said", () => {
    const clockSetBack = made(1, { sequence: 99 });
    assert.deepEqual(chosen({ kind: "end" }, [...SETS, clockSetBack]), [
      clockSetBack.set,
      clockSetBack.set,
    ]);
  });

  void it("passes over sets that must not be used", () => {
    const broken = made(22, { verified: false });
    assert.deepEqual(chosen({ kind: "end" }, [...SETS, broken]), [
      "20261123T200000Z",
      "20261123T200000Z",
    ]);
  });

  void it("is none before the first set, and none in the future", () => {
    refused(at("2026-11-23T03:00:00Z"), SETS, /the oldest, 20261123T040000Z, was finished at/);
    refused(at("2026-11-24T12:00:01Z"), SETS, /in the future/);
  });

  void it("is none that does not exist", () => {
    refused(set("20200101T000000Z"), SETS, /no set "20200101T000000Z".*newest are: 20261123T20/);
    refused(set(BROKEN.set), SETS, /cannot be used: its checksum is wrong/);
    refused(set("latest"), SETS, /no verified set/);
    refused({ kind: "end" }, [], /no set to restore from.*backupRepository/);
  });

  void it("says why a set must not be used, and what to do", () => {
    const cases: [Partial<Manifest>, RegExp][] = [
      [{ format: 2 as 1, version: "v9" }, /newer format \(2\).*v9/],
      [{ stack: "staging" }, /of stack "staging".*--stack staging --into/],
      [{ postgres: null, problems: ["Postgres did not answer"] }, /no database.*did not answer/],
      [{ verified: false, problems: ["a pack is damaged"] }, /a pack is damaged.*--unverified/],
      [{ complete: false, verified: false, problems: ["Redis was down"] }, /Redis was down/],
    ];
    for (const [changes, pattern] of cases) {
      const manifest = made(5, changes);
      refused(set(manifest.set), [manifest], pattern);
      refused({ kind: "end" }, [manifest], pattern);
    }
    const [newer] = [made(5)].map((manifest) => ({
      ...manifest,
      postgres: manifest.postgres && { ...manifest.postgres, version: "18.1" },
    }));
    assert.ok(newer);
    refused(set(newer.set), [newer], /Postgres 18, and this stack runs Postgres 17/);
  });

  void it("may be an unverified one when that is asked for", () => {
    const manifest = made(5, { verified: false });
    const rules = { ...RULES, unverified: true };
    assert.equal(choose(known([manifest]), set(manifest.set), rules).base.set, manifest.set);
  });
});
