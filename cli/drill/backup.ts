import { setTimeout as delay } from "node:timers/promises";
import type { Manifest } from "../../backup/manifest";
import { listSets } from "../backup/list";
import { Load } from "../load/load";
import { now } from "../load/requester";
import { summarizeLoad, type LoadSummary } from "../load/summary";
import type { Step } from "../step";
import type { DrillStack } from "./drill-stack";
import { reconcile, type Reconciliation } from "./prediction-log";

/** How often and how hard. */
export interface BackupDrillRequest {
  /** Each with a backup, and without one for as long as the backup before took. */
  readonly rounds: number;
  /** Requests a second. */
  readonly rate: number;
  readonly signal: AbortSignal;
}

/** Requests that were due in a span of time, and what was done in it. */
export interface BackupRound {
  /** While nothing else was done. */
  readonly without: LoadSummary;
  /** From the start of `./mlops backup` to its end. */
  readonly with: LoadSummary;
  /** Seconds of the command. */
  readonly seconds: number;
  /** The set that was made. */
  readonly manifest: Manifest;
}

/** What was seen. */
export interface BackupDrillResult {
  readonly rounds: readonly BackupRound[];
  /** All requests, those between the rounds too. */
  readonly load: LoadSummary;
  readonly predictionLog: Reconciliation;
}

/** Milliseconds of the clock of the load's samples. */
interface Span {
  readonly from: number;
  readonly to: number;
}

/** What one round did, until the load has ended. */
interface Spans {
  readonly without: Span;
  readonly with: Span;
  readonly manifest: Manifest;
}

/** Between two spans, so that neither has the last requests of the other. */
const PAUSE_MS = 3000;

/** Makes backups in turn with doing nothing, under one load; see `./mlops drill backup`. */
export async function drillBackups(
  stack: DrillStack,
  { rounds, rate, signal }: BackupDrillRequest,
  step: Step,
): Promise<BackupDrillResult> {
  // The first backup makes the repository: what is measured is what comes every day.
  step.say("the first backup, not measured");
  let last = spanOf(await stack.require(stack.backup(), step));
  const settings = await stack.loadSettings(rate);
  const load = Load.start(stack.context.root, settings);
  const pause = (milliseconds: number): Promise<void> => delay(milliseconds, undefined, { signal });
  const quiet = async (): Promise<Span> => {
    const from = now();
    await pause(last.to - last.from);
    return { from, to: now() };
  };
  const backup = async (): Promise<Span> => {
    last = spanOf(await stack.require(stack.backup(), step));
    return last;
  };
  try {
    const spans: Spans[] = [];
    for (let round = 1; round <= rounds; round += 1) {
      load.requireRunning();
      step.say(`round ${round} of ${rounds}; ${load.samples.length} requests`);
      await pause(PAUSE_MS);
      // What drifts meets each of the two first as often as the other.
      const [first, second] = round % 2 === 1 ? [quiet, backup] : [backup, quiet];
      const begun = await first();
      await pause(PAUSE_MS);
      const ended = await second();
      const [without, withBackup] = round % 2 === 1 ? [begun, ended] : [ended, begun];
      spans.push({ without, with: withBackup, manifest: await newestSet(stack, step) });
    }
    const samples = await load.stop();
    step.say("comparing with the prediction log");
    const summaryOf = ({ from, to }: Span): LoadSummary =>
      summarizeLoad(samples.filter(({ dueAt }) => dueAt >= from && dueAt < to));
    return {
      rounds: spans.map((span) => ({
        without: summaryOf(span.without),
        with: summaryOf(span.with),
        seconds: (span.with.to - span.with.from) / 1000,
        manifest: span.manifest,
      })),
      load: summarizeLoad(samples),
      predictionLog: await reconcile(
        stack.tools.docker,
        stack.name,
        settings.markerColumn,
        samples,
      ),
    };
  } finally {
    load.kill();
  }
}

const spanOf = ({ startedAt, endedAt }: { startedAt: number; endedAt: number }): Span => ({
  from: startedAt,
  to: endedAt,
});

/** The set that the backup before has just made. */
async function newestSet(stack: DrillStack, step: Step): Promise<Manifest> {
  const { sets, latest } = await listSets(stack.tools, stack.name, step);
  const newest = sets.at(-1);
  if (newest === undefined || newest.set !== latest)
    throw new Error("the backup succeeded, and its set is not the latest");
  return newest;
}
