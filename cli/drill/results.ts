import { median } from "../bench/measure";
import type { ResultTable } from "../bench/results";
import type { Sample } from "../load/protocol";
import { quantile, type Latency, type LoadSummary } from "../load/summary";
import type { Reconciliation } from "./prediction-log";
import { secondsOf, type Switch, type SwitchSeconds } from "./switches";

/** A load and what became of its POSTs. */
export interface LoadOutcome {
  /** What was done meanwhile, such as `./mlops deploy and rollback`. */
  readonly title: string;
  /** How many times. */
  readonly switches: number;
  readonly load: LoadSummary;
  /** Answers of the version before to requests sent after a switch. */
  readonly wrongVersions: number;
  readonly predictionLog: Reconciliation;
}

/** Loads side by side, a column each. */
export function outcomeTable(outcomes: readonly LoadOutcome[]): ResultTable {
  const row = (name: string, of: (outcome: LoadOutcome) => string): string[] => [
    name,
    ...outcomes.map(of),
  ];
  return {
    title: "Requests under releases",
    head: ["", ...outcomes.map(({ title }) => title)],
    rows: [
      row("releases", ({ switches }) => String(switches)),
      row("requests", ({ load }) => String(load.requests)),
      row("failed", ({ load }) => failedOf(load)),
      row("answers of the wrong version after a switch", (outcome) =>
        String(outcome.wrongVersions),
      ),
      row("POSTs answered", ({ predictionLog }) => String(predictionLog.answered)),
      row("of those lost in the database", ({ predictionLog }) => String(predictionLog.lost)),
      row("doubled there", ({ predictionLog }) => String(predictionLog.doubled)),
      row("p50 / p99 / max ms", ({ load }) => latencyText(load.latency)),
      row("longest time without a good answer, ms", ({ load }) => load.longestGap.toFixed(0)),
      row("the load itself late, p99 / max ms", ({ load }) =>
        [load.lateness.p99, load.lateness.max].map((value) => value.toFixed(0)).join(" / "),
      ),
    ],
  };
}

/** Requests of each class in one load. */
export function classTable({ title, load }: LoadOutcome): ResultTable {
  return {
    title: `By class: ${title}`,
    head: ["CLASS", "REQUESTS", "FAILED", "P50 / P99 / MAX MS"],
    rows: load.classes.map(({ name, requests, failures, latency }) => [
      name,
      String(requests),
      countsText(failures),
      latencyText(latency),
    ]),
  };
}

/** How long switches took. */
export function switchTable(switches: readonly Switch[], samples: readonly Sample[]): ResultTable {
  const measured = switches.flatMap((item) => {
    const seconds = secondsOf(item, samples);
    return seconds === undefined ? [] : [{ kind: item.kind, ...seconds }];
  });
  const ofKind = (kind: Switch["kind"]): (typeof measured)[number][] =>
    measured.filter((item) => item.kind === kind);
  const rows = (
    name: string,
    items: readonly SwitchSeconds[],
    of: (seconds: SwitchSeconds) => number,
  ): string[] => [
    name,
    String(items.length),
    ...[items.map(of), items.map((item) => of(item) - item.appStart)].flatMap((values) => [
      median(values).toFixed(1),
      p95(values).toFixed(1),
    ]),
    median(items.map((item) => of(item) / item.appStart)).toFixed(2),
  ];
  const [deploys, rollbacks] = [ofKind("deploy"), ofKind("rollback")];
  return {
    title: "Seconds from the command",
    head: ["", "NUMBER", "MEDIAN", "P95", "OVER APP START, MEDIAN", "P95", "RATIO"],
    rows: [
      rows("the app's own start", measured, ({ appStart }) => appStart),
      rows("deploy: first answer of the new version", deploys, (item) => item.firstAnswer),
      rows("deploy: end of the drain", deploys, (item) => item.drained),
      rows("deploy: end of the command", deploys, (item) => item.ended),
      rows("rollback: first answer of the new version", rollbacks, (item) => item.firstAnswer),
      rows("rollback: end of the drain", rollbacks, (item) => item.drained),
      rows("rollback: end of the command", rollbacks, (item) => item.ended),
    ],
  };
}

function failedOf({ failed, failures }: LoadSummary): string {
  return failed === 0 ? "0" : `${failed} (${countsText(failures)})`;
}

function countsText(counts: Readonly<Partial<Record<string, number>>>): string {
  const texts = Object.entries(counts).map(([kind, count]) => `${count} ${kind}`);
  return texts.length === 0 ? "0" : texts.join(", ");
}

const latencyText = ({ p50, p99, max }: Latency): string =>
  [p50, p99, max].map((value) => value.toFixed(value < 10 ? 1 : 0)).join(" / ");

const p95 = (values: readonly number[]): number =>
  quantile(
    [...values].sort((a, b) => a - b),
    0.95,
  );
