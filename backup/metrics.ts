import { Gauge, Registry } from "prom-client";
import type { Agent } from "./agent";
import type { Manifest } from "./manifest";
import { lastRun, type RunKind } from "./runs";
import { newestGood } from "./sets";

/**
 * What Prometheus is told: always what is on the disk at that moment, whoever put it there. What is
 * not known is absent; an age of 0 would look like a fresh backup.
 */
export function backupMetrics({ places, sets }: Pick<Agent, "places" | "sets">): Registry {
  const registry = new Registry();
  const gauge = (name: string, help: string, read: () => Promise<number | undefined>): void => {
    new Gauge({
      name,
      help,
      registers: [registry],
      async collect() {
        const value = await read();
        if (value === undefined) this.remove();
        else this.set(value);
      },
    });
  };
  const ofNewest = (name: string, help: string, value: (newest: Manifest) => number): void => {
    gauge(name, help, async () => {
      const newest = newestGood(await sets.own());
      return newest === undefined ? undefined : value(newest);
    });
  };
  ofNewest(
    "mlops_backup_last_success_timestamp_seconds",
    "When the newest good set was complete, in Unix time.",
    ({ finishedAt }) => Date.parse(finishedAt) / 1000,
  );
  ofNewest(
    "mlops_backup_age_seconds",
    "Age of the newest good set.",
    ({ finishedAt }) => (Date.now() - Date.parse(finishedAt)) / 1000,
  );
  ofNewest("mlops_backup_set_bytes", "Bytes that the newest good set restores to.", bytesOf);
  const ofRun = (kind: RunKind, prefix: string, what: string): void => {
    gauge(`${prefix}_last_result`, `Whether the last ${what} succeeded, 1 or 0.`, async () => {
      const run = await lastRun(places, kind);
      return run === undefined ? undefined : Number(run.succeeded);
    });
    gauge(
      `${prefix}_last_duration_seconds`,
      `Seconds that the last ${what} took.`,
      async () => (await lastRun(places, kind))?.seconds,
    );
    gauge(`${prefix}_last_run_timestamp_seconds`, `When the last ${what} ended.`, async () => {
      const run = await lastRun(places, kind);
      return run === undefined ? undefined : Date.parse(run.finishedAt) / 1000;
    });
  };
  ofRun("backup", "mlops_backup", "backup");
  ofRun("drill", "mlops_backup_drill", "drill");
  new Gauge({
    name: "mlops_backup_sets",
    help: "Number of sets.",
    labelNames: ["verified"],
    registers: [registry],
    async collect() {
      const good = (await sets.own()).map(({ complete, verified }) => complete && verified);
      this.set({ verified: "true" }, good.filter(Boolean).length);
      this.set({ verified: "false" }, good.filter((is) => !is).length);
    },
  });
  return registry;
}

/** Bytes of everything that a set holds. */
export const bytesOf = ({ postgres, files }: Manifest): number =>
  (postgres?.bytes ?? 0) +
  Object.values(files).reduce((total, part) => total + (part?.bytes ?? 0), 0);
