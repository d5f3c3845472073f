import assert from "node:assert/strict";
import { setTimeout as delay } from "node:timers/promises";
import type Docker from "dockerode";
import { loadSettings } from "../cli/drill/load-settings";
import { reconcile } from "../cli/drill/prediction-log";
import { Load } from "../cli/load/load";
import type { LoadSettings } from "../cli/load/protocol";
import { summarizeLoad, type LoadSummary } from "../cli/load/summary";
import type { PublicApi } from "../cli/public-api";

/** Which load is wanted. */
interface Wanted {
  readonly docker: Docker;
  readonly api: PublicApi;
  readonly stack: string;
  /** Requests a second, half of them POSTs that are logged. @default 40 */
  readonly rate?: number;
  /** Number of this load on the stack, from 1. */
  readonly load: number;
}

/** What has become of a load. */
interface Measured extends LoadSummary {
  /** POSTs that were answered well. */
  readonly answered: number;
  /** Of those, how many have no row in the prediction log. */
  readonly lost: number;
  /** POSTs with more than one row. */
  readonly doubled: number;
}

/** Requests at a fixed rate to a sandbox's stack, each accounted for. */
export class MeasuredLoad {
  private constructor(
    private readonly wanted: Wanted,
    private readonly settings: LoadSettings,
    private readonly load: Load,
  ) {}

  /** Starts it, and waits for its first answers. */
  static async start(wanted: Wanted): Promise<MeasuredLoad> {
    const { api, stack, rate = 40, load } = wanted;
    const settings = await loadSettings(api, { stack, rate, load });
    const measured = new MeasuredLoad(wanted, settings, Load.start(process.cwd(), settings));
    await measured.go(1);
    return measured;
  }

  /** Waits until it has had the answers of about so many more seconds. */
  async go(seconds: number): Promise<void> {
    const enough = this.load.samples.length + this.settings.rate * seconds;
    while (this.load.samples.length < enough) {
      this.load.requireRunning();
      await delay(100);
    }
  }

  /** Stops it, and looks for the rows of its POSTs. */
  async stop(): Promise<Measured> {
    const samples = await this.load.stop();
    const { docker, stack } = this.wanted;
    const rows = await reconcile(docker, stack, this.settings.markerColumn, samples);
    return { ...summarizeLoad(samples), ...rows };
  }

  /** Ends it at once, if it has not ended: for a test that failed. */
  kill(): void {
    this.load.kill();
  }
}

/** Every request was answered well, and each POST that was is in the prediction log once. */
export function assertNothingLost({ requests, failures, answered, lost, doubled }: Measured): void {
  assert.deepEqual(failures, {}, `failed requests of ${requests}`);
  assert.ok(answered > 0, "no POST was answered");
  assert.deepEqual({ lost, doubled }, { lost: 0, doubled: 0 }, `rows of ${answered} POSTs`);
}
