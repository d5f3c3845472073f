import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { eventually, Sandbox, serviceImage, type RunOptions } from "./testing/sandbox";

const USER = "65534:65534";
const FOLDER = "/etc/prometheus/conf";
const URL = "http://127.0.0.1:9090";
const CONFIG = `
global: { scrape_interval: 1s, scrape_timeout: 1s }
scrape_configs:
  - job_name: prometheus
    static_configs: [{ targets: ["localhost:9090"] }]
`;

void describe("Prometheus image", () => {
  const sandbox = new Sandbox();
  let image: string;
  before(async () => {
    image = await serviceImage("prometheus");
  });
  after(() => sandbox.remove());

  async function options(config: string): Promise<RunOptions> {
    const files = await sandbox.files({ image, user: USER }, { "prometheus.yml": config });
    return {
      image,
      user: USER,
      files: { [FOLDER]: files },
      volumes: { "/prometheus": await sandbox.volume("data") },
    };
  }

  void it("checks a configuration", async () => {
    for (const [config, expected] of [
      [CONFIG, 0],
      ["scrape_configs: [{ jobname: typo }]", 1],
    ] as const) {
      const { output, exitCode } = await sandbox.once({
        ...(await options(config)),
        entrypoint: "promtool",
        command: ["check", "config", `${FOLDER}/prometheus.yml`],
      });
      assert.equal(exitCode, expected, output);
    }
  });

  void it("scrapes itself and keeps the figures in a new container", async () => {
    const own = await options(CONFIG);
    const first = await sandbox.start(own);
    await sandbox.healthy(first, "promtool", "check", "healthy", `--url=${URL}`);
    const ask = ["promtool", "query", "instant"];
    const seconds = await eventually("a scrape that succeeded", async () => {
      const { output } = await sandbox.exec(first, ...ask, URL, 'up{job="prometheus"} == 1');
      return /=> 1 @\[([\d.]+)\]/.exec(output)?.[1];
    });
    await sandbox.docker(["stop", first]);
    assert.equal(await sandbox.inspect(first, ".State.ExitCode"), "0");

    const second = await sandbox.start(own);
    await sandbox.healthy(second, "promtool", "check", "ready", `--url=${URL}`);
    const { output } = await sandbox.exec(second, ...ask, `--time=${seconds}`, URL, "up");
    assert.match(output, /job="prometheus".*=> 1 @/);
  });
});
