import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { stringify } from "yaml";
import { alertRules } from "../components/alert-rules";
import { Sandbox, serviceImage, type Result } from "./testing/sandbox";

const USER = "65534:65534";
const FOLDER = "/etc/prometheus/conf";
/** As prod has it. */
const RULES = alertRules({
  stack: "prod",
  backup: { schedule: "0 3 * * *", alertAgeHours: 26 },
});

/** Values of a series from the start on, one each 5 minutes, in promtool's notation. */
type Series = Readonly<Record<string, string>>;

/** What Prometheus has scraped, and which alerts fire of it. */
interface Case {
  readonly name: string;
  readonly series: Series;
  /** Time from the start, such as `26h`. */
  readonly at: string;
  /** Names of all alerts that fire then. */
  readonly fires: readonly string[];
  /** Time between two values. @default "5m" */
  readonly interval?: string;
}

const HOUR = 12;
const up = 'up{job="backup",instance="backup:9188"}';
const sets = 'mlops_backup_sets{job="backup",instance="backup:9188",verified="true"}';
const age = 'mlops_backup_age_seconds{job="backup",instance="backup:9188"}';
const result = 'mlops_backup_last_result{job="backup",instance="backup:9188"}';
const drill = 'mlops_backup_drill_last_result{job="backup",instance="backup:9188"}';
const postgres = 'job="postgres",instance="postgres-exporter:9187"';
const failed = `pg_stat_archiver_failed_count{${postgres},server="postgres:5432"}`;
const archiveAge = `pg_stat_archiver_last_archive_age{${postgres},server="postgres:5432"}`;
/** Figures of two databases, in the first of which rows are inserted. */
const writes = (inserted: string): Series =>
  Object.fromEntries(
    ["inserted", "updated", "deleted"].flatMap((what) =>
      ["mlops", "mlflow"].map((database) => [
        `pg_stat_database_tup_${what}{${postgres},datname="${database}"}`,
        what === "inserted" && database === "mlops" ? inserted : "7x100",
      ]),
    ),
  );
/** Every 15 s, as Postgres is scraped. */
const archive = (name: string, at: string, fires: readonly string[], series: Series): Case => ({
  name,
  at,
  fires,
  series,
  interval: "15s",
});

const CASES: readonly Case[] = [
  {
    name: "all is well",
    at: "30h",
    fires: [],
    series: {
      [up]: `1x${30 * HOUR}`,
      [sets]: `1x${30 * HOUR}`,
      // A set each day.
      [age]: `0+300x${24 * HOUR} 0+300x${6 * HOUR}`,
      [result]: `1x${30 * HOUR}`,
      [drill]: `1x${30 * HOUR}`,
    },
  },
  {
    name: "the newest set is just young enough",
    at: "26h",
    fires: [],
    series: { [up]: `1x${26 * HOUR}`, [age]: `0+300x${26 * HOUR}` },
  },
  {
    name: "the newest set is too old",
    at: "26h5m",
    fires: ["BackupTooOld"],
    series: { [up]: `1x${27 * HOUR}`, [age]: `0+300x${27 * HOUR}` },
  },
  {
    name: "a new stack has no set yet",
    at: "25h",
    fires: [],
    series: { [up]: `1x${25 * HOUR}`, [sets]: `0x${25 * HOUR}` },
  },
  {
    name: "there never was a set, and the service was away once in a while",
    at: "27h",
    fires: ["BackupTooOld"],
    series: {
      [up]: `1x${27 * HOUR}`,
      [sets]: `0x${6 * HOUR} _x${HOUR} 0x${13 * HOUR} _x3 0x${7 * HOUR}`,
    },
  },
  {
    name: "the only set was removed after it had been good until an hour ago",
    at: "40h",
    fires: [],
    series: { [up]: `1x${40 * HOUR}`, [sets]: `1x${39 * HOUR} 0x${HOUR}` },
  },
  {
    name: "the last backup failed, though there is a young set",
    at: "1h",
    fires: ["BackupFailed"],
    series: { [up]: `1x${HOUR}`, [age]: `0+300x${HOUR}`, [result]: `1x6 0x6` },
  },
  {
    name: "a backup failed, and the one after it did not",
    at: "1h",
    fires: [],
    series: { [up]: `1x${HOUR}`, [result]: `0x6 1x6` },
  },
  {
    name: "the last trial restore failed",
    at: "1h",
    fires: ["RestoreDrillFailed"],
    series: { [up]: `1x${HOUR}`, [drill]: `1x6 0x6` },
  },
  {
    name: "the service was replaced",
    at: "5m",
    fires: [],
    interval: "1m",
    series: { [up]: "1x2 0x2 1x10" },
  },
  {
    name: "the service does not come back",
    at: "10m",
    fires: ["BackupServiceDown"],
    interval: "1m",
    series: { [up]: "1x2 0x8" },
  },
  archive("nothing is written, so nothing is archived", "20m", [], {
    [failed]: "0x80",
    [archiveAge]: "0+15x80",
    ...writes("5x80"),
  }),
  // Written in the 10th minute and archived within one; not written since.
  archive("what was written is archived", "20m", [], {
    [failed]: "0x80",
    [archiveAge]: "0+15x43 0+15x37",
    ...writes("5x39 6x41"),
  }),
  archive("an archive after 75 s that were written in", "12m", [], {
    [failed]: "0x80",
    [archiveAge]: "0+15x44 0+15x36",
    ...writes("5x39 6+1x41"),
  }),
  archive("what was written waits", "8m", ["ArchiveBehind"], {
    [failed]: "0x80",
    [archiveAge]: "0+15x80",
    ...writes("5+1x80"),
  }),
  archive("what was written once waits, and nothing came after it", "15m", ["ArchiveBehind"], {
    [failed]: "0x80",
    [archiveAge]: "0+15x80",
    ...writes("5x19 6x61"),
  }),
  archive("archiving fails again and again", "10m", ["ArchiveBehind"], {
    // Three times a minute.
    [failed]: "0x3 3x3 6x3 9x3 12x3 15x3 18x3 21x3 24x3 27x3 30x3",
    [archiveAge]: "0+15x44",
    ...writes("5x80"),
  }),
  archive("it fails from the first segment on", "10m", ["ArchiveBehind"], {
    [failed]: "0x3 3x3 6x3 9x3 12x3 15x3 18x3 21x3 24x3 27x3 30x3",
    ...writes("5+1x80"),
  }),
  archive("it failed once and went on", "10m", [], {
    [failed]: "0x15 1x30",
    [archiveAge]: "0+15x4 0+15x4 0+15x8 0+15x4 0+15x4 0+15x4 0+15x4 0+15x4",
    ...writes("5+1x80"),
  }),
];

/** A case as promtool reads it. */
function unitTest({ name, series, at, fires, interval = "5m" }: Case): unknown {
  return {
    name,
    interval,
    input_series: Object.entries(series).map(([series, values]) => ({ series, values })),
    promql_expr_test: [
      {
        expr: 'count by (alertname) (ALERTS{alertstate="firing"})',
        eval_time: at,
        exp_samples: fires.map((alertname) => ({ labels: `{alertname="${alertname}"}`, value: 1 })),
      },
    ],
  };
}

void describe("alert rules, read by Prometheus itself", () => {
  const sandbox = new Sandbox();
  let image: string;
  before(async () => {
    image = await serviceImage("prometheus");
  });
  after(() => sandbox.remove());

  async function promtool(
    command: string,
    files: Readonly<Record<string, string>>,
  ): Promise<Result> {
    return sandbox.once({
      image,
      user: USER,
      files: { [FOLDER]: await sandbox.files({ image, user: USER }, files) },
      entrypoint: "promtool",
      command: [...command.split(" "), `${FOLDER}/${Object.keys(files)[0] ?? ""}`],
    });
  }
  const testRules = (tests: readonly unknown[]): Promise<Result> =>
    promtool("test rules", {
      "tests.yml": stringify({ rule_files: ["alerts.yml"], evaluation_interval: "1m", tests }),
      "alerts.yml": RULES,
    });

  void it("are valid", async () => {
    const { exitCode, output } = await promtool("check rules", { "alerts.yml": RULES });
    assert.equal(exitCode, 0, output);
    assert.match(output, /5 rules found/);
  });

  void it("fire when they should, and only then", async () => {
    const { exitCode, output } = await testRules(CASES.map(unitTest));
    assert.equal(exitCode, 0, output);
  });

  void it("are tested by cases of which each can fail", async () => {
    const wrong = CASES.map(({ fires, ...rest }) =>
      unitTest({ ...rest, fires: fires.length === 0 ? ["BackupFailed"] : [] }),
    );
    const { exitCode, output } = await testRules(wrong);
    assert.equal(exitCode, 1, output);
    assert.equal(output.match(/exp: /g)?.length, CASES.length, output);
  });

  void it("say what is wrong with which stack, and what to do", async () => {
    const { exitCode, output } = await testRules([
      {
        interval: "5m",
        input_series: [{ series: age, values: `0+300x${27 * HOUR}` }],
        alert_rule_test: [
          {
            alertname: "BackupTooOld",
            eval_time: "26h30m",
            exp_alerts: [
              {
                exp_labels: { severity: "critical", job: "backup", instance: "backup:9188" },
                exp_annotations: {
                  summary:
                    "The newest good backup of prod is older than 26 h (backupAlertAge), or there is none.",
                  action:
                    "See what failed: ./mlops backups --stack prod; then: ./mlops backup --stack prod",
                },
              },
            ],
          },
        ],
      },
    ]);
    assert.equal(exitCode, 0, output);
  });
});
