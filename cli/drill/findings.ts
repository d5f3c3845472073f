import type { ResultTable } from "../bench/results";
import type { Sample } from "../load/protocol";
import type { KillDrillResult } from "./kill";
import type { ReleaseDrillResult } from "./release";
import { classTable, outcomeTable, switchTable, type LoadOutcome } from "./results";

/** What a drill has to say. */
export interface Findings {
  readonly passed: boolean;
  readonly tables: readonly ResultTable[];
  /** The first failed requests, a line each. */
  readonly failures: readonly string[];
  /** One sentence. */
  readonly verdict: string;
  /** The same for programs. */
  readonly data: Readonly<Record<string, unknown>>;
}

const SHOWN_FAILURES = 20;

/** Whether nothing failed, nothing was lost, and nothing was done twice. */
const isClean = ({ load, wrongVersions, predictionLog }: LoadOutcome): boolean =>
  load.failed === 0 &&
  wrongVersions === 0 &&
  predictionLog.lost === 0 &&
  predictionLog.doubled === 0;

const counts = ({ load, wrongVersions, predictionLog }: LoadOutcome): string =>
  `${load.failed} of ${load.requests} requests failed, ${predictionLog.lost} POSTs were lost, ` +
  `${predictionLog.doubled} doubled, ${wrongVersions} answered by the wrong version`;

/**
 * Findings of a release drill.
 *
 * @param compose the same load under Compose, for comparison. @default none
 */
export function releaseFindings(release: ReleaseDrillResult, compose?: LoadOutcome): Findings {
  const { outcome, switches, spanning } = release;
  const failures = release.samples.filter(({ failure }) => failure !== undefined);
  const passed = isClean(outcome) && spanning === switches.length;
  const text = `${counts(outcome)}; a slow request was under way across ${spanning} of ${switches.length} switches.`;
  return {
    passed,
    tables: [
      outcomeTable(compose === undefined ? [outcome] : [outcome, compose]),
      classTable(outcome),
      switchTable(switches, release.samples),
    ],
    failures: failures.slice(0, SHOWN_FAILURES).map((sample) => describe(sample, release)),
    verdict: `${passed ? "Passed" : "Failed"}: ${text}`,
    data: { release: outcome, spanning, switches, failures, compose },
  };
}

/** Findings of a kill drill. */
export function killFindings({ outcome, killed }: KillDrillResult): Findings {
  const converged = killed.filter(({ residue }) => residue === undefined).length;
  const inTime = killed.filter((item) => item.killed).length;
  const passed = isClean(outcome) && converged === killed.length && inTime === killed.length;
  return {
    passed,
    tables: [
      outcomeTable([outcome]),
      {
        title: "Deployments killed, and the same command run again",
        head: ["KILLED", "NEXT RUN", "ITS SECONDS"],
        rows: killed.map((item) => [
          item.killed ? item.boundary : `${item.boundary}: ended before`,
          item.residue ?? "converged",
          item.seconds.toFixed(1),
        ]),
      },
    ],
    failures: [],
    verdict: `${passed ? "Passed" : "Failed"}: ${inTime} deployments killed, ${converged} times the next run converged by itself; ${counts(outcome)}.`,
    data: { kill: outcome, killed },
  };
}

/** One failure with the seconds since the last switch before it. */
function describe(sample: Sample, { switches }: ReleaseDrillResult): string {
  const { method, connection, failure, detail, sentAt, endedAt } = sample;
  const near = switches.find((item) => endedAt < item.endedAt) ?? switches.at(-1);
  const seconds = near === undefined ? 0 : (sentAt - near.switchedAt) / 1000;
  const when = seconds < 0 ? `${(-seconds).toFixed(2)} s before` : `${seconds.toFixed(2)} s after`;
  return `${failure} (${detail}): ${method} on a ${connection} connection, sent ${when} the switch of a ${near?.kind}, answered after ${((endedAt - sentAt) / 1000).toFixed(2)} s`;
}
