import { setTimeout as delay } from "node:timers/promises";
import { Load } from "../load/load";
import type { LoadSettings, Sample } from "../load/protocol";
import { summarizeLoad } from "../load/summary";
import type { Step } from "../step";
import { AppStarts } from "./app-starts";
import type { DrillStack } from "./drill-stack";
import { reconcile } from "./prediction-log";
import type { LoadOutcome } from "./results";
import { isDone, spanning, switchOf, wrongVersions, type Switch } from "./switches";

/** How long and how hard. */
export interface ReleaseDrillRequest {
  /** Each a deployment and a rollback; at least so many. */
  readonly cycles: number;
  /** At least so many. */
  readonly requests: number;
  /** Requests a second. */
  readonly rate: number;
  readonly signal: AbortSignal;
}

/** What was seen. */
export interface ReleaseDrillResult {
  readonly outcome: LoadOutcome;
  readonly switches: readonly Switch[];
  readonly samples: readonly Sample[];
  /** Slow requests that were under way while a switch was made. */
  readonly spanning: number;
}

/** Every slow request takes so long. */
const SLOW_SECONDS = 5;
/** Load before the first deployment and after the last. */
const QUIET_MS = 3000;

/** Deploys and goes back, in turn, under load; see what `./mlops drill release` demands. */
export async function drillReleases(
  stack: DrillStack,
  request: ReleaseDrillRequest,
  step: Step,
): Promise<ReleaseDrillResult> {
  const settings = await stack.loadSettings(request.rate);
  const starts = await AppStarts.watch(stack.tools.docker, stack.name);
  const load = Load.start(stack.context.root, settings);
  try {
    await delay(QUIET_MS, undefined, { signal: request.signal });
    const switches = await alternate(stack, request, load, starts, step);
    // The last slow request may be under way, and what was switched last must hold.
    await delay(QUIET_MS, undefined, { signal: request.signal });
    const samples = await load.stop();
    step.say("comparing with the prediction log");
    return await evaluate(stack, settings, switches, samples);
  } finally {
    load.kill();
    starts.close();
  }
}

async function alternate(
  stack: DrillStack,
  { cycles, requests, signal }: ReleaseDrillRequest,
  load: Load,
  starts: AppStarts,
  step: Step,
): Promise<Switch[]> {
  const [older, newer] = stack.tags;
  const switches: Switch[] = [];
  for (let cycle = 1; cycle <= cycles || load.samples.length < requests; cycle += 1)
    for (const [kind, tag] of [
      ["deploy", newer],
      ["rollback", older],
    ] as const) {
      signal.throwIfAborted();
      load.requireRunning();
      const failed = load.samples.filter(({ failure }) => failure !== undefined).length;
      step.say(`cycle ${cycle}, ${kind}; ${load.samples.length} requests, ${failed} failed`);
      const deployer = stack[kind](tag, (line) => {
        // The switch is next: the old version is given something to finish after it.
        if (isDone(line, "gate")) load.slow(SLOW_SECONDS);
      });
      const deployed = await stack.require(deployer, step);
      switches.push(switchOf(kind, tag, deployed, starts.seconds(tag, deployed.startedAt)));
    }
  return switches;
}

async function evaluate(
  stack: DrillStack,
  { markerColumn }: LoadSettings,
  switches: readonly Switch[],
  samples: readonly Sample[],
): Promise<ReleaseDrillResult> {
  const outcome: LoadOutcome = {
    title: "./mlops deploy, rollback",
    switches: switches.length,
    load: summarizeLoad(samples),
    wrongVersions: wrongVersions(switches, samples).length,
    predictionLog: await reconcile(stack.tools.docker, stack.name, markerColumn, samples),
  };
  return { outcome, switches, samples, spanning: spanning(switches, samples).length };
}
