import { stringify } from "yaml";
import type { BackupConfig } from "../config";

/** What decides which alerts a stack has. */
export interface AlertRulesArgs {
  readonly stack: string;
  readonly backup: Pick<BackupConfig, "schedule" | "alertAgeHours">;
}

/** An alert as Prometheus reads it. */
interface Alert {
  readonly alert: string;
  readonly expr: string;
  /** How long the expression has to hold before the alert fires. @default not at all */
  readonly for?: string;
  /** How long it goes on firing after that. @default not at all */
  readonly keep_firing_for?: string;
  readonly labels: { readonly severity: "warning" | "critical" };
  readonly annotations: {
    readonly summary: string;
    /** What to do about it. */
    readonly action: string;
  };
}

/** The rule file: what somebody has to look at before data is lost. */
export function alertRules(args: AlertRulesArgs): string {
  return stringify(
    { groups: [{ name: "backup", rules: [...ageAlerts(args), ...runAlerts(args)] }] },
    // Expressions stay as they are read.
    { lineWidth: 0 },
  );
}

/**
 * An alert on the age of the newest good set; none where no sets are made by schedule. Without any
 * set its age is absent, which is told from the number of sets. That asks what was seen over the
 * whole time and not `for` how long, which every restart of the backup service would begin anew; and
 * whether the stack is as old as that, in the same length of time before.
 */
function ageAlerts({ stack, backup: { schedule, alertAgeHours } }: AlertRulesArgs): Alert[] {
  if (schedule === "" || alertAgeHours === 0) return [];
  const sets = `mlops_backup_sets{verified="true"}[${alertAgeHours}h]`;
  return [
    {
      alert: "BackupTooOld",
      expr: `mlops_backup_age_seconds > ${alertAgeHours * 3600}
or (max_over_time(${sets}) == 0 and present_over_time(${sets} offset ${alertAgeHours}h))`,
      labels: { severity: "critical" },
      annotations: {
        summary: `The newest good backup of ${stack} is older than ${alertAgeHours} h (backupAlertAge), or there is none.`,
        action: `See what failed: ./mlops backups --stack ${stack}; then: ./mlops backup --stack ${stack}`,
      },
    },
  ];
}

/** Alerts on what failed, however it was started. */
function runAlerts({ stack }: AlertRulesArgs): Alert[] {
  const logs = `./mlops logs backup --stack ${stack}`;
  return [
    {
      alert: "BackupFailed",
      expr: "mlops_backup_last_result == 0",
      labels: { severity: "warning" },
      annotations: {
        summary: `The last backup of ${stack} failed.`,
        action: `See why: ./mlops backups --stack ${stack}, ${logs}; then: ./mlops backup --stack ${stack}`,
      },
    },
    {
      alert: "RestoreDrillFailed",
      expr: "mlops_backup_drill_last_result == 0",
      labels: { severity: "critical" },
      annotations: {
        summary: `The last trial restore of ${stack}'s backups failed: they may not bring the data back.`,
        action: `See why: ${logs}; then make another backup: ./mlops backup --stack ${stack}`,
      },
    },
    {
      alert: "BackupServiceDown",
      expr: 'up{job="backup"} == 0',
      for: "5m",
      labels: { severity: "warning" },
      annotations: {
        summary: `The backup service of ${stack} does not answer: no backups are made.`,
        action: `See why: ./mlops status --stack ${stack}, ${logs}; then: ./mlops up --stack ${stack}`,
      },
    },
    {
      alert: "ArchiveBehind",
      expr: ARCHIVE_BEHIND,
      for: "2m",
      // A write now and then is seen for minutes only; that it waits lasts.
      keep_firing_for: "10m",
      labels: { severity: "critical" },
      annotations: {
        summary: `The write-ahead log of ${stack} is not archived: what was written since would be lost with the volume.`,
        action: `See why: ./mlops logs postgres --stack ${stack}; then: ./mlops backup --stack ${stack}`,
      },
    },
  ];
}

/**
 * Postgres archives within 60 s of what it writes, and nothing while nothing is written: so an old
 * archive alone says nothing. It is behind where it fails, or where there were writes after the last
 * of it that wait for longer than those 60 s. Where nothing was archived yet since the figures were
 * reset, the age is not a number, and compares with none.
 */
const ARCHIVE_BEHIND = `(
  increase(pg_stat_archiver_failed_count[5m]) > 0
  unless pg_stat_archiver_last_archive_age <= 180
)
or (
  pg_stat_archiver_last_archive_age > 180
  and on (instance)
  sum by (instance) (
    increase(pg_stat_database_tup_inserted[3m])
    + increase(pg_stat_database_tup_updated[3m])
    + increase(pg_stat_database_tup_deleted[3m])
  ) > 0
)`;
