import type { Context } from "../context";
import { runProgram } from "../exec";

/** Something whose duration is measured. */
export interface Contender {
  readonly name: string;
  readonly command: string;
  readonly args: readonly string[];
  readonly cwd: string;
  /** Added to the caller's environment. */
  readonly env: Readonly<Record<string, string>>;
}

/** Seconds of one contender over all runs. */
export interface Measurement {
  readonly name: string;
  readonly median: number;
  readonly min: number;
  readonly max: number;
}

/**
 * Runs all contenders in turn, so that whatever else the machine does meets each of them alike.
 *
 * @param runs how often each is measured, after one run that is not.
 * @throws Error when one of them fails.
 */
export async function measureSideBySide(
  context: Context,
  contenders: readonly Contender[],
  runs: number,
  report: (text: string) => void,
): Promise<Measurement[]> {
  const seconds = contenders.map((): number[] => []);
  for (let run = 0; run <= runs; run += 1)
    for (const [index, contender] of contenders.entries()) {
      report(`${contender.name}, ${run === 0 ? "to warm up" : `run ${run} of ${runs}`}`);
      const duration = await time(context, contender);
      if (run > 0) seconds[index]?.push(duration);
    }
  return contenders.map(({ name }, index) => summarize(name, seconds[index] ?? []));
}

async function time(context: Context, contender: Contender): Promise<number> {
  const startedAt = performance.now();
  await runProgram(contender.command, contender.args, {
    cwd: contender.cwd,
    env: { ...context.env, ...contender.env },
  });
  return (performance.now() - startedAt) / 1000;
}

function summarize(name: string, seconds: readonly number[]): Measurement {
  return {
    name,
    median: median(seconds),
    min: Math.min(...seconds),
    max: Math.max(...seconds),
  };
}

/** The middle of the values; of an even number, the mean of the two in the middle. */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length / 2;
  const [low, high] = [sorted[Math.ceil(middle) - 1], sorted[Math.floor(middle)]];
  return low === undefined || high === undefined ? NaN : (low + high) / 2;
}
