import { bytesOf } from "../../backup/metrics";
import { median } from "../bench/measure";
import type { ResultTable } from "../bench/results";
import { formatBytes } from "../format";
import type { LoadSummary } from "../load/summary";
import type { BackupDrillResult, BackupRound } from "./backup";
import type { Findings } from "./findings";

/** Findings of a backup drill. */
export function backupFindings(result: BackupDrillResult): Findings {
  const { load, predictionLog, rounds } = result;
  const { answered, lost, doubled } = predictionLog;
  const passed = load.failed === 0 && lost === 0 && doubled === 0;
  const locked = Math.max(...rounds.map(({ manifest }) => lockedMs(manifest)));
  return {
    passed,
    tables: [requestsTable(rounds), backupsTable(rounds)],
    failures: Object.entries(load.failures).map(([kind, count]) => `${count} ${kind}`),
    verdict:
      `${passed ? "Passed" : "Failed"}: ${load.failed} of ${load.requests} requests failed under ` +
      `${rounds.length} backups, ${lost} of ${answered} POSTs were lost, ${doubled} doubled; ` +
      `writers waited ${locked.toFixed(1)} ms at most.`,
    data: { load, predictionLog, rounds },
  };
}

/** Requests in the spans with a backup beside those in the spans without. */
function requestsTable(rounds: readonly BackupRound[]): ResultTable {
  const total = (name: string, of: (load: LoadSummary) => number): string[] => {
    const sum = (side: (round: BackupRound) => LoadSummary): number =>
      rounds.reduce((all, round) => all + of(side(round)), 0);
    return [name, String(sum((round) => round.without)), String(sum((round) => round.with)), ""];
  };
  const middle = (name: string, of: (load: LoadSummary) => number): string[] => [
    name,
    median(rounds.map((round) => of(round.without))).toFixed(1),
    median(rounds.map((round) => of(round.with))).toFixed(1),
    median(rounds.map((round) => of(round.with) / of(round.without))).toFixed(2),
  ];
  return {
    title: "Requests without a backup and during one",
    head: ["", "WITHOUT", "WITH", "RATIO"],
    rows: [
      total("requests", ({ requests }) => requests),
      total("failed", ({ failed }) => failed),
      middle("p50 ms", ({ latency }) => latency.p50),
      middle("p95 ms", ({ latency }) => latency.p95),
      middle("p99 ms", ({ latency }) => latency.p99),
      middle("longest time without a good answer, ms", ({ longestGap }) => longestGap),
    ],
  };
}

/** What a backup takes. */
function backupsTable(rounds: readonly BackupRound[]): ResultTable {
  const manifests = rounds.map(({ manifest }) => manifest);
  const row = (name: string, values: readonly number[], digits: number): string[] => [
    name,
    median(values).toFixed(digits),
    `${Math.min(...values).toFixed(digits)} – ${Math.max(...values).toFixed(digits)}`,
  ];
  const steps = Object.keys(manifests[0]?.seconds ?? {});
  const bytes = median(manifests.map(bytesOf));
  return {
    title: `Backups: ${rounds.length}, of ${formatBytes(bytes)} each`,
    head: ["", "MEDIAN", "RANGE"],
    rows: [
      row("writers waited, ms", manifests.map(lockedMs), 1),
      row(
        "the command, s",
        rounds.map(({ seconds }) => seconds),
        1,
      ),
      ...steps.map((step) =>
        row(
          `${step}, s`,
          manifests.map(({ seconds }) => seconds[step] ?? NaN),
          2,
        ),
      ),
    ],
  };
}

const lockedMs = ({ postgres }: BackupRound["manifest"]): number => postgres?.lockedMs ?? NaN;
