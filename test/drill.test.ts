import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { createContext, type Context } from "../cli/context";
import { drillBackups } from "../cli/drill/backup";
import { backupFindings } from "../cli/drill/backup-results";
import { DrillStack } from "../cli/drill/drill-stack";
import { BOUNDARIES, drillKills, type Boundary } from "../cli/drill/kill";
import { drillReleases } from "../cli/drill/release";
import type { LoadOutcome } from "../cli/drill/results";
import { runStep, type Step } from "../cli/step";

const RATE = 80;
const CYCLES = 3;
const REQUESTS = 10_000;
/** Before anything is live, while both run, and after the point of no return. */
const KILLED = ["after the migration", "after the gate", "after the switch"];

/** What may not happen to any request, whatever is deployed or killed. */
function assertNothingLost({ load, wrongVersions, predictionLog }: LoadOutcome): void {
  assert.deepEqual(load.failures, {});
  assert.equal(wrongVersions, 0);
  assert.deepEqual([predictionLog.lost, predictionLog.doubled], [0, 0]);
  assert.ok(predictionLog.answered > 0);
}

void describe("releases and backups under load", { timeout: 20 * 60_000 }, () => {
  const context: Context = createContext(process.cwd(), process.env);
  const { signal } = new AbortController();
  const inStep = <T>(title: string, work: (step: Step) => Promise<T>): Promise<T> =>
    runStep(context, { name: "drill-test", title, retry: "./mlops test" }, work);
  let stack: DrillStack;
  before(async () => {
    stack = await DrillStack.create(context, { replicas: 1, retry: "./mlops test", signal });
    await inStep("Making a stack", (step) => stack.prepare(step));
  });
  after(() => stack.remove());

  void it("lose no request, answer with no old version, and keep every POST once", async () => {
    const request = { cycles: CYCLES, requests: REQUESTS, rate: RATE, signal };
    const { outcome, switches, spanning } = await inStep("Deploying and rolling back", (step) =>
      drillReleases(stack, request, step),
    );
    assert.ok(switches.length >= 2 * CYCLES);
    assert.ok(outcome.load.requests >= REQUESTS);
    assertNothingLost(outcome);
    assert.equal(spanning, switches.length);
  });

  void it("lose none when they are killed, and the next run leaves nothing of it", async () => {
    const boundaries: readonly Boundary[] = BOUNDARIES.filter(({ name }) => KILLED.includes(name));
    assert.equal(boundaries.length, KILLED.length);
    const { outcome, killed } = await inStep("Killing deployments", (step) =>
      drillKills(stack, boundaries, { rate: RATE, signal }, step),
    );
    assert.deepEqual(
      killed.map(({ killed, residue }) => ({ killed, residue })),
      boundaries.map(() => ({ killed: true, residue: undefined })),
    );
    assertNothingLost(outcome);
  });

  void it("lose none while backups are made, which are measured beside a time without", async () => {
    const result = await inStep("Backing up", (step) =>
      drillBackups(stack, { rounds: 1, rate: RATE, signal }, step),
    );
    const { passed, verdict } = backupFindings(result);
    assert.ok(passed, verdict);
    const [round] = result.rounds;
    assert.ok(round !== undefined && round.manifest.verified);
    // All that was due while the command ran, and something to compare it with.
    const { requests } = round.with;
    assert.ok(Math.abs(requests / RATE - round.seconds) < 1, `${requests} in ${round.seconds} s`);
    assert.ok(round.without.requests > RATE);
  });
});
