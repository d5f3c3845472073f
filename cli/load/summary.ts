import { CLASSES, classOf, type FailureKind, type Sample } from "./protocol";

/** Milliseconds from when a request was due until its answer was there. */
export interface Latency {
  readonly p50: number;
  readonly p95: number;
  readonly p99: number;
  readonly max: number;
}

/** Requests of one class. */
export interface ClassSummary {
  /** Such as `POST reused`, or `slow`. */
  readonly name: string;
  readonly requests: number;
  readonly failures: Readonly<Partial<Record<FailureKind, number>>>;
  /** Of those that were answered well. */
  readonly latency: Latency;
}

/** A load in figures. */
export interface LoadSummary {
  readonly requests: number;
  readonly failed: number;
  readonly failures: Readonly<Partial<Record<FailureKind, number>>>;
  readonly classes: readonly ClassSummary[];
  /** Of all classes but the slow requests. */
  readonly latency: Latency;
  /** Longest time in milliseconds without the end of a good answer. */
  readonly longestGap: number;
  /** How late the generator itself sent, in milliseconds. */
  readonly lateness: Latency;
}

/** Sums up a load. */
export function summarizeLoad(samples: readonly Sample[]): LoadSummary {
  const load = samples.filter(({ kind }) => kind === "load");
  const slow = samples.filter(({ kind }) => kind === "slow");
  const good = load.filter(({ failure }) => failure === undefined);
  const classes = CLASSES.map((name) =>
    summarizeClass(
      classOf(name),
      load.filter((sample) => classOf(sample) === classOf(name)),
    ),
  );
  return {
    requests: samples.length,
    failed: samples.filter(({ failure }) => failure !== undefined).length,
    failures: countFailures(samples),
    classes: slow.length === 0 ? classes : [...classes, summarizeClass("slow", slow)],
    latency: latencyOf(good),
    longestGap: longestGap(good),
    lateness: percentiles(load.map(({ dueAt, sentAt }) => sentAt - dueAt)),
  };
}

function summarizeClass(name: string, samples: readonly Sample[]): ClassSummary {
  return {
    name,
    requests: samples.length,
    failures: countFailures(samples),
    latency: latencyOf(samples.filter(({ failure }) => failure === undefined)),
  };
}

function countFailures(samples: readonly Sample[]): Partial<Record<FailureKind, number>> {
  const counts: Partial<Record<FailureKind, number>> = {};
  for (const { failure } of samples)
    if (failure !== undefined) counts[failure] = (counts[failure] ?? 0) + 1;
  return counts;
}

const latencyOf = (samples: readonly Sample[]): Latency =>
  percentiles(samples.map(({ dueAt, endedAt }) => endedAt - dueAt));

/** Exact, as every value is at hand: a histogram would only save memory that is not short. */
function percentiles(values: readonly number[]): Latency {
  const sorted = Float64Array.from(values).sort();
  return {
    p50: quantile(sorted, 0.5),
    p95: quantile(sorted, 0.95),
    p99: quantile(sorted, 0.99),
    max: quantile(sorted, 1),
  };
}

/**
 * The nearest-rank quantile: the smallest value that at least that share does not exceed.
 *
 * @param sorted in ascending order.
 * @param share from 0 to 1.
 * @returns NaN of no values.
 */
export function quantile(sorted: ArrayLike<number>, share: number): number {
  return sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? NaN;
}

function longestGap(good: readonly Sample[]): number {
  const ends = Float64Array.from(good.map(({ endedAt }) => endedAt)).sort();
  let longest = 0;
  for (let index = 1; index < ends.length; index += 1)
    longest = Math.max(longest, (ends[index] ?? 0) - (ends[index - 1] ?? 0));
  return longest;
}
