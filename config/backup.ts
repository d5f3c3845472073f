import { Cron } from "croner";
import type { Resources } from "../components/spec";
import type { Retention } from "../backup/settings";
import type { ConfigReader } from "./reader";

/** Backups: when, where, and how long they are kept. */
export interface BackupConfig {
  /** Image reference; "" builds the folder in `images/`. */
  readonly image: string;
  readonly resources: Resources;
  /** Five cron fields, in UTC; "" is never. */
  readonly schedule: string;
  /** The same, for drills: restores that are proved, and removed again. */
  readonly drillSchedule: string;
  /** Hours that the newest backup may be old when a release is deployed; 0 for any. */
  readonly maxAgeHours: number;
  /** Hours that the newest good set may be old before an alert fires; 0 for any. */
  readonly alertAgeHours: number;
  readonly retention: Retention;
  readonly repository: RepositoryConfig;
  /** Key that encrypts all backups, secret; "" for one that is made once and kept. */
  readonly key: string;
  /** Percent of the files that are read back after each backup. */
  readonly verifyPercent: number;
}

/** Where backups are kept. */
export type RepositoryConfig =
  | { readonly type: "volume" }
  /** A folder of the Docker host. */
  | { readonly type: "folder"; readonly path: string }
  | {
      readonly type: "sftp";
      readonly user: string;
      readonly host: string;
      readonly port: number;
      readonly path: string;
      /** Private key, secret. */
      readonly sshKey: string;
      /** Lines as in OpenSSH's `known_hosts`. */
      readonly knownHosts: string;
    }
  | {
      readonly type: "s3";
      /** Host, without the port. */
      readonly host: string;
      readonly port: number;
      readonly bucket: string;
      /** Start of all keys, without slashes at its ends; may be "". */
      readonly path: string;
      readonly region: string;
      /** Secret. */
      readonly accessKey: string;
      /** Secret. */
      readonly secretKey: string;
      /** Certificates of the endpoint's authority, PEM; "" for those of the system. */
      readonly ca: string;
    };

const RETENTION = /^(\d+) daily, (\d+) weekly, (\d+) monthly$/;
const SFTP = /^sftp:([\w.-]+)@([\w.-]+)(?::(\d+))?:(\/\S*)$/;
const S3 = /^s3:https:\/\/([\w.-]+)(?::(\d+))?\/([\w.-]+)\/?(\S*?)\/?$/;

/** Reads and checks the keys that begin with `backup`. */
export function readBackup(
  read: ConfigReader,
  service: { readonly image: string; readonly resources: Resources },
): BackupConfig {
  return {
    ...service,
    schedule: readSchedule(read, "backupSchedule"),
    drillSchedule: readSchedule(read, "backupDrillSchedule"),
    maxAgeHours: read.integer("backupMaxAge", { min: 0 }),
    alertAgeHours: read.integer("backupAlertAge", { min: 0 }),
    retention: readRetention(read),
    repository: readRepository(read),
    key: read.text("backupKey"),
    verifyPercent: read.integer("backupVerifyPercent", { min: 1, max: 100 }),
  };
}

/**
 * Checks that an alert on the age of backups can be relied on: that it does not fire between two
 * backups that are on time, and that Prometheus remembers for long enough that there were none.
 *
 * @param retention how long Prometheus keeps figures, such as `15d`.
 */
export function checkAlertAge(
  read: ConfigReader,
  { schedule, alertAgeHours }: BackupConfig,
  retention: string,
): void {
  if (schedule === "" || alertAgeHours === 0) return;
  if (!read.sound("backupSchedule", "backupAlertAge", "prometheusRetention")) return;
  const hours = longestGapHours(schedule);
  if (hours >= alertAgeHours)
    read.report(
      "backupAlertAge",
      `is ${alertAgeHours} hours, but by backupSchedule backups are up to ${hours} hours apart`,
      read.set("backupAlertAge", String(hours + 2)),
    );
  if (retentionHours(retention) <= alertAgeHours)
    read.report(
      "prometheusRetention",
      `is ${retention}, too short to see that there was no backup for ${alertAgeHours} hours`,
      read.set("prometheusRetention", `${Math.ceil((alertAgeHours + 1) / 24)}d`),
    );
}

/** From any day on: only the longest of many is asked for. */
function longestGapHours(schedule: string): number {
  const runs = new Cron(schedule, { paused: true, timezone: "UTC" }).nextRuns(
    100,
    "2026-01-01T00:00:00Z",
  );
  const gaps = runs.slice(1).map((run, index) => run.getTime() - (runs[index]?.getTime() ?? 0));
  return Math.ceil(Math.max(0, ...gaps) / 3_600_000);
}

const UNIT_HOURS: Readonly<Record<string, number>> = { h: 1, d: 24, w: 7 * 24, y: 365 * 24 };

const retentionHours = (retention: string): number =>
  parseInt(retention, 10) * (UNIT_HOURS[retention.slice(-1)] ?? NaN);

function readSchedule(read: ConfigReader, key: string): string {
  const schedule = read.text(key);
  if (schedule === "") return "";
  const example = read.set(key, "'0 3 * * *'");
  if (schedule.trim().split(/\s+/).length !== 5) {
    read.report(key, `"${schedule}" is not a schedule of five fields such as "0 3 * * *"`, example);
    return "";
  }
  try {
    new Cron(schedule, { paused: true });
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    read.report(key, `"${schedule}" is not a schedule: ${reason}`, example);
  }
  return schedule;
}

function readRetention(read: ConfigReader): Retention {
  const text = read.pattern(
    "backupRetention",
    RETENTION,
    'numbers of sets such as "7 daily, 4 weekly, 6 monthly"',
  );
  const [, daily, weekly, monthly] = RETENTION.exec(text) ?? [];
  return { daily: Number(daily), weekly: Number(weekly), monthly: Number(monthly) };
}

function readRepository(read: ConfigReader): RepositoryConfig {
  const text = read.text("backupRepository");
  const s3 = {
    region: read.text("backupS3Region"),
    accessKey: read.text("backupS3Key"),
    secretKey: read.text("backupS3KeySecret"),
    ca: read.text("backupS3Ca"),
  };
  const sftp = {
    sshKey: read.text("backupSshKey"),
    knownHosts: read.text("backupSshKnownHosts"),
  };
  const require = (values: Readonly<Record<string, string>>): void => {
    for (const [key, value] of Object.entries(values))
      if (value === "")
        read.report(
          key,
          "is missing, and backupRepository needs it",
          `pulumi config set ${key} ${/Key/.test(key) ? "--secret " : ""}--stack ${read.source.stack} < FILE`,
        );
  };
  if (text === "") return { type: "volume" };
  if (/^\/[^:\s]+$/.test(text)) return { type: "folder", path: text };
  const [, user, host, port, path] = SFTP.exec(text) ?? [];
  if (user !== undefined && host !== undefined && path !== undefined) {
    require({ backupSshKey: sftp.sshKey, backupSshKnownHosts: sftp.knownHosts });
    return { type: "sftp", user, host, port: Number(port ?? 22), path: trimmed(path), ...sftp };
  }
  const [, endpoint, tlsPort, bucket, prefix] = S3.exec(text) ?? [];
  if (endpoint !== undefined && bucket !== undefined) {
    require({ backupS3Key: s3.accessKey, backupS3KeySecret: s3.secretKey });
    return {
      type: "s3",
      host: endpoint,
      port: Number(tlsPort ?? 443),
      bucket,
      path: prefix ?? "",
      ...s3,
    };
  }
  read.report(
    "backupRepository",
    `"${text}" is neither a folder, sftp:user@host:/folder, nor s3:https://host/bucket/path`,
    read.set("backupRepository", "/srv/backups"),
  );
  return { type: "volume" };
}

const trimmed = (path: string): string => path.replace(/\/+$/, "");
