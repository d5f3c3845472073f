import { setTimeout as delay } from "node:timers/promises";
import { Load } from "../load/load";
import { summarizeLoad } from "../load/summary";
import { serviceContainers } from "../services";
import type { Step } from "../step";
import type { Deployed, PrintedLine } from "./deployer";
import type { DrillStack } from "./drill-stack";
import { reconcile } from "./prediction-log";
import type { LoadOutcome } from "./results";
import { isDone, wrongVersions, type Switch } from "./switches";

/** A moment at which a deployment is killed. */
export interface Boundary {
  readonly name: string;
  /** Whether a line that the deployment printed says that it has come. */
  readonly matches: (line: PrintedLine) => boolean;
}

/** Ends of all steps of a release, in their order. */
export const BOUNDARIES: readonly Boundary[] = [
  { name: "start of the deployment", matches: ({ text }) => /^Deploying .* …$/.test(text) },
  { name: "after the check", matches: (line) => isDone(line, "check") },
  { name: "after the migration", matches: ({ text }) => /✓ .*-app-migrate /.test(text) },
  {
    name: "after the new container's start",
    matches: ({ text }) => /✓ .* Container \S+-app(-\d+)? /.test(text),
  },
  { name: "after the gate", matches: (line) => isDone(line, "gate") },
  { name: "after the switch", matches: (line) => isDone(line, "switch") },
  { name: "after the drain", matches: (line) => isDone(line, "drain") },
  { name: "after the ledger's row", matches: (line) => isDone(line, "record") },
];

/** What became of one killed deployment. */
export interface Killed {
  readonly boundary: string;
  /** Whether it was killed there; else it ended before that was seen. */
  readonly killed: boolean;
  /** What is wrong after the next run of the same command; undefined where all is well. */
  readonly residue: string | undefined;
  /** Seconds that the next run took. */
  readonly seconds: number;
}

/** What a kill drill saw. */
export interface KillDrillResult {
  readonly outcome: LoadOutcome;
  readonly killed: readonly Killed[];
}

/** Load on what a killed deployment left. */
const QUIET_MS = 3000;

/**
 * Kills a deployment with all that it started at each boundary, under load, and runs the same
 * command again.
 */
export async function drillKills(
  stack: DrillStack,
  boundaries: readonly Boundary[],
  { rate, signal }: { readonly rate: number; readonly signal: AbortSignal },
  step: Step,
): Promise<KillDrillResult> {
  const settings = await stack.loadSettings(rate);
  const load = Load.start(stack.context.root, settings);
  const killed: Killed[] = [];
  const switches: Switch[] = [];
  try {
    await delay(QUIET_MS, undefined, { signal });
    for (const [index, boundary] of boundaries.entries()) {
      const failed = load.samples.filter(({ failure }) => failure !== undefined).length;
      step.say(`killing ${boundary.name}; ${load.samples.length} requests, ${failed} failed`);
      // The first release is live before, so every deployment has something to change.
      const tag = stack.tags[(index + 1) % 2] ?? stack.tags[0];
      const { result, next, startedAt } = await killOnce(stack, tag, boundary, step);
      load.requireRunning();
      killed.push(result);
      switches.push({
        kind: "deploy",
        to: tag,
        startedAt,
        // What was killed may or may not have switched: only what follows the next run is certain.
        switchedAt: next.endedAt,
        drainedAt: next.endedAt,
        endedAt: next.endedAt,
        appStart: undefined,
      });
      signal.throwIfAborted();
    }
    await delay(QUIET_MS, undefined, { signal });
    const samples = await load.stop();
    const { docker } = stack.tools;
    const outcome: LoadOutcome = {
      title: "deployments killed and run again",
      switches: killed.length,
      load: summarizeLoad(samples),
      wrongVersions: wrongVersions(switches, samples).length,
      predictionLog: await reconcile(docker, stack.name, settings.markerColumn, samples),
    };
    return { outcome, killed };
  } finally {
    load.kill();
  }
}

async function killOnce(
  stack: DrillStack,
  tag: string,
  boundary: Boundary,
  step: Step,
): Promise<{ result: Killed; next: Deployed; startedAt: number }> {
  let killing: Promise<void> | undefined;
  const deployer = stack.deploy(tag, (line) => {
    if (boundary.matches(line)) killing ??= deployer.kill();
  });
  const first = await deployer.ended;
  await killing;
  for (const { text } of first.lines) step.record(text);
  step.record(`killed ${boundary.name}: ${killing === undefined ? "no" : "yes"}`);
  await delay(QUIET_MS);
  const next = await stack.deploy(tag).ended;
  for (const { text } of next.lines) step.record(text);
  const result: Killed = {
    boundary: boundary.name,
    killed: killing !== undefined && first.exitCode === null,
    residue: next.exitCode === 0 ? await residueOf(stack, tag) : lastLines(next.lines),
    seconds: (next.endedAt - next.startedAt) / 1000,
  };
  return { result, next, startedAt: first.startedAt };
}

/** What is left of the app's containers beside those of the release that is live. */
async function residueOf(stack: DrillStack, tag: string): Promise<string | undefined> {
  const containers = await serviceContainers(stack.tools.docker, stack.name, "app");
  const others = containers.filter(
    ({ Labels, State }) => Labels["mlops.version"] !== tag || State !== "running",
  );
  if (others.length > 0)
    return `left: ${others.map(({ Names, State }) => `${Names.join()} (${State})`).join(", ")}`;
  return containers.length === stack.replicas
    ? undefined
    : `${containers.length} containers instead of ${stack.replicas}`;
}

const lastLines = (lines: readonly PrintedLine[]): string =>
  `the next run failed: ${lines
    .slice(-6)
    .map(({ text }) => text.trim())
    .join(" / ")}`;
