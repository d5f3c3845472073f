import { rowsOf, type ModelVersion } from "../../backup/manifest";
import type { RestoreResult } from "../../backup/restore/restore";
import { TARGET_ROOT } from "../../backup/restore/targets";
import { describeMachine, type ResultTable } from "../bench/results";
import type { Context } from "../context";
import { CommandError } from "../errors";
import { toSeconds } from "../format";
import { withLock } from "../lock";
import { openBackedUp, restorerOf } from "../restore/ready";
import { verifyModels, type VerifiedModel } from "../restore/verify-models";
import { runStep } from "../step";
import { CopiedServices } from "./copied-services";
import type { Findings } from "./findings";
import { untilStopped, type Drill, type Measured } from "./run";

/** Which backup is tried. */
export interface RestoreDrillRequest {
  readonly stack: string;
  /** Name of the set, or the agent's word for the newest good one. */
  readonly set: string;
  /** Whether a set will do that is not verified or lacks services. */
  readonly unverified: boolean;
  /** Command that does it again. */
  readonly retry: string;
}

/** What a backup turned out to be worth. */
export interface RestoreDrillResult {
  readonly stack: string;
  readonly set: string;
  /** The release of the app that made the set. */
  readonly version: string;
  /** Rows of all tables, compared with the set. */
  readonly rows: number;
  readonly models: readonly VerifiedModel[];
  /** Seconds by step, in their order. */
  readonly seconds: Readonly<Record<string, number>>;
  /** From nothing until databases and registry answered and every model had been asked. */
  readonly recoverySeconds: number;
}

/**
 * Restores a set where nobody uses it and proves all of it: the databases equal what the set says
 * they held, by row counts and by the digest of a dump; no page or index is damaged; every file is
 * what was saved; and every registered model version opens in an MLflow of its own on them, and
 * answers what was recorded when it was registered. The stack serves meanwhile, and nothing stays.
 *
 * @throws CommandError naming what is not as it was.
 */
export async function drillRestore(
  caller: Context,
  { stack, set, unverified, retry }: RestoreDrillRequest,
): Promise<Measured> {
  const work = async (signal: AbortSignal): Promise<Measured> => {
    const ready = await openBackedUp(caller, stack, retry);
    const { context, tools } = ready;
    const copies = await CopiedServices.create(tools.docker, stack);
    try {
      const restorer = await restorerOf(ready, copies.volumes);
      const inStep: Drill["inStep"] = (name, title, work) =>
        runStep(context, { name: `drill-${name}`, title, retry }, work);
      const begun = performance.now();
      const restored = await inStep(
        "restore",
        `Restoring ${stack} where nobody uses it`,
        async (step) => {
          const options = ["--set", set, ...(unverified ? ["--unverified"] : [])];
          const command = ["drill", "--into", TARGET_ROOT, ...options];
          return (await restorer.run(command, step)) as TimedRestore;
        },
      );
      const restoredAt = performance.now();
      signal.throwIfAborted();
      await inStep("start", "Starting Postgres and MLflow on it", () => copies.start());
      const startedAt = performance.now();
      signal.throwIfAborted();
      const models = await verifyModels(context, tools, { stack, retry, network: copies.network });
      requireAll(restored.models, models);
      const endedAt = performance.now();
      const { version } = restored;
      const seconds = {
        ...restored.seconds,
        start: toSeconds(startedAt - restoredAt),
        models: toSeconds(endedAt - startedAt),
      };
      const rows = rowsOf(restored.databases);
      const recoverySeconds = toSeconds(endedAt - begun);
      return {
        machine: await describeMachine(tools.docker),
        findings: findingsOf({
          stack,
          set: restored.set,
          version,
          rows,
          models,
          seconds,
          recoverySeconds,
        }),
      };
    } finally {
      await copies.remove();
    }
  };
  return withLock(caller, `drill of ${stack}`, () => untilStopped(caller, retry, work));
}

interface TimedRestore extends RestoreResult {
  readonly seconds: Readonly<Record<string, number>>;
}

/** @throws CommandError naming the versions that the set had, and MLflow does not. */
function requireAll(expected: readonly ModelVersion[], found: readonly VerifiedModel[]): void {
  const name = (model: Pick<ModelVersion, "name" | "version">): string =>
    `${model.name} version ${model.version}`;
  const known = new Set(found.map(name));
  const missing = expected.map(name).filter((model) => !known.has(model));
  if (missing.length > 0)
    throw new CommandError(
      `MLflow does not have these models on the restored data: ${missing.join(", ")}.`,
      "The set is not worth what it says: try an earlier one, and look at MLflow.",
    );
}

function findingsOf(result: RestoreDrillResult): Findings {
  const { set, stack, seconds, recoverySeconds } = result;
  const table: ResultTable = {
    title: `Set ${set} of ${stack}, restored and proved`,
    head: ["STEP", "SECONDS", "FOUND"],
    rows: [
      ...Object.entries(seconds).map(([step, taken]) => [
        step,
        taken.toFixed(1),
        foundBy(step, result),
      ]),
      ["time to recover", recoverySeconds.toFixed(1), ""],
    ],
  };
  return {
    passed: true,
    tables: [table],
    failures: [],
    verdict: `Passed: set ${set} was restored and proved in ${recoverySeconds} s.`,
    data: { ...result },
  };
}

/** What a step has shown, for a person. */
function foundBy(step: string, { rows, models }: RestoreDrillResult): string {
  const asked = models.reduce((total, model) => total + model.rows, 0);
  switch (step) {
    case "compare":
      return `${rows} rows and the dump of each database as in the set`;
    case "amcheck":
      return "no page and no index damaged";
    case "models":
      return `${models.length} versions open, ${asked} recorded answers the same`;
    default:
      return "";
  }
}
