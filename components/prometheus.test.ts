import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { parse } from "yaml";
import { recordStack, stackConfig, writtenFiles, type RecordedStack } from "./testing/stack";

interface ScrapeFile {
  readonly scrape_configs: readonly { readonly job_name: string }[];
}

interface RuleFiles {
  readonly rule_files: readonly string[];
}

interface RuleFile {
  readonly groups: readonly { readonly rules: readonly { readonly alert: string }[] }[];
}

const nameOf = ({ alert }: { readonly alert: string }): string => alert;

void describe("Prometheus", async () => {
  const stack = await recordStack(stackConfig("prod"));

  void it("scrapes every service and itself", () => {
    const files = writtenFiles(stack.command("prometheus-config-write"));
    const { scrape_configs } = parse(files["prometheus.yml"] ?? "") as ScrapeFile;
    assert.deepEqual(
      scrape_configs.map(({ job_name }) => job_name),
      ["prometheus", "app", "backup", "mlflow", "postgres", "redis", "nginx"],
    );
    assert.deepEqual(scrape_configs[1], {
      job_name: "app",
      metrics_path: "/metrics",
      scrape_interval: "5s",
      scrape_timeout: "4s",
      dns_sd_configs: [{ names: ["app"], type: "A", port: 8000, refresh_interval: "5s" }],
    });
  });

  void it("reads its alerts from a file beside its configuration", async () => {
    const rulesOf = (of: RecordedStack): string[] => {
      const files = writtenFiles(of.command("prometheus-config-write"));
      const { rule_files } = parse(files["prometheus.yml"] ?? "") as RuleFiles;
      const rules = rule_files.map((file) => parse(files[file] ?? "") as RuleFile);
      return rules.flatMap(({ groups }) => groups.flatMap((group) => group.rules.map(nameOf)));
    };
    const always = ["BackupFailed", "RestoreDrillFailed", "BackupServiceDown", "ArchiveBehind"];
    assert.deepEqual(rulesOf(stack), ["BackupTooOld", ...always]);
    // A stack without a schedule has no age to watch, and one that is told not to.
    for (const config of [stackConfig("dev"), stackConfig("prod", { "mlops:backupAlertAge": "0" })])
      assert.deepEqual(rulesOf(await recordStack(config)), always);
  });

  void it("keeps figures as long as configured, on a named volume", () => {
    const { inputs } = stack.container("prometheus");
    assert.ok((inputs.command as string[]).includes("--storage.tsdb.retention.time=30d"));
    assert.equal(stack.volume("prometheus-data").inputs.name, "mlops-prod-prometheus-data");
  });
});
