import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { Sample } from "../load/protocol";
import { isDone, secondsOf, spanning, switchOf, wrongVersions, type Switch } from "./switches";

const sample = (values: Partial<Sample>): Sample => ({
  kind: "load",
  connection: "new",
  method: "GET",
  dueAt: values.sentAt ?? 0,
  sentAt: 0,
  endedAt: (values.sentAt ?? 0) + 10,
  version: "old",
  ...values,
});

const LINES = [
  { text: "Deploying s …", at: 100 },
  { text: "  ✓ created Command mlops-s-release-gate 2 s", at: 5000 },
  { text: "  ✓ updated Command mlops-s-release-switch 1 s", at: 6000 },
  { text: "  ✓ updated Command mlops-s-release-drain 3 s", at: 9000 },
];

const deployment = (): Switch =>
  switchOf("deploy", "new", { startedAt: 0, endedAt: 9500, exitCode: 0, lines: LINES }, 4);

void describe("a switch", () => {
  void it("is dated by what the command said", () => {
    const { switchedAt, drainedAt } = deployment();
    assert.deepEqual([switchedAt, drainedAt], [6000, 9000]);
    assert.ok(!isDone({ text: "  ✗ failed updating Command mlops-s-release-gate", at: 0 }, "gate"));
  });

  void it("is not guessed where the command did not say so", () => {
    const silent = { startedAt: 0, endedAt: 1, exitCode: 0, lines: LINES.slice(0, 2) };
    assert.throws(() => switchOf("deploy", "new", silent, 4), /has not said that it did switch/);
  });

  void it("takes from the command to the first answer of the new version", () => {
    const samples = [
      sample({ sentAt: 5000 }),
      sample({ sentAt: 5600, version: "new" }),
      sample({ sentAt: 5500, endedAt: 5580, version: "new" }),
    ];
    assert.deepEqual(secondsOf(deployment(), samples), {
      appStart: 4,
      firstAnswer: 5.58,
      drained: 9,
      ended: 9.5,
    });
    assert.equal(secondsOf(deployment(), []), undefined);
  });

  void it("may be answered by either version until it is done, and by the new one only after it", () => {
    const next = { ...deployment(), to: "old", startedAt: 20_000, switchedAt: 26_000 };
    const wrong = sample({ sentAt: 6001 });
    const samples = [
      sample({ sentAt: 5999 }),
      sample({ sentAt: 5999, version: "new" }),
      wrong,
      sample({ sentAt: 6002, version: "new" }),
      sample({ sentAt: 20_001 }),
      sample({ sentAt: 26_001 }),
    ];
    assert.deepEqual(wrongVersions([deployment(), next], samples), [wrong]);
  });

  void it("was spanned by a request that the old version answered after the new one had begun", () => {
    const first = sample({ sentAt: 5600, version: "new" });
    const slow = sample({ kind: "slow", sentAt: 5100, endedAt: 10_100 });
    assert.deepEqual(spanning([deployment()], [first, slow]), [slow]);
    const tooShort = { ...slow, endedAt: 5500 };
    const tooLate = { ...slow, sentAt: 5700, version: "new" };
    assert.deepEqual(spanning([deployment()], [first, tooShort, tooLate]), []);
    // What was lost did span it as well.
    const { version, ...rest } = slow;
    const lost: Sample = { ...rest, failure: "reset" };
    assert.equal(version, "old");
    assert.deepEqual(spanning([deployment()], [first, lost]), [lost]);
  });
});
