import assert from "node:assert/strict";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { parse, stringify } from "yaml";
import { exampleOf } from "../cli/commands/predict";
import { dockerClient } from "../cli/docker";
import { ThrowawayStack } from "../cli/drill/throwaway-stack";
import { freePorts } from "../cli/ports";
import { PublicApi } from "../cli/public-api";
import { FaultyReleases } from "./faulty-releases";
import { docker, Sandbox, type Ended } from "./sandbox";

/** Seconds: time for Prometheus to find the new containers and to ask them a few times. */
const CANARY_SECONDS = 40;

void describe("a release that is tried before it is trusted", () => {
  let sandbox: Sandbox;
  let api: PublicApi;
  let outliers: Outliers;
  let images: FaultyReleases;
  const tagOf = (name: string): string => images.tagOf(name);
  const deploy = (tag: string, ...more: readonly string[]): Promise<Ended> =>
    sandbox.run(["deploy", tag, "--stack", sandbox.stack, "--yes", ...more]);

  before(async () => {
    sandbox = await Sandbox.create("staging", { canarySeconds: String(CANARY_SECONDS) });
    images = new FaultyReleases(sandbox);
    const first = await deploy(await images.build("good", "none"), "--json");
    assert.equal(first.exitCode, 0, first.output);
    await sandbox.succeed("train");
    const { outputs } = JSON.parse(first.stdout) as { outputs: { url: string } };
    api = await PublicApi.at(await dockerClient(), { url: outputs.url, stack: sandbox.stack });
    const { rows } = await exampleOf(api, sandbox.stack);
    outliers = new Outliers(api, rows[0] as Readonly<Record<string, unknown>>);
  });
  after(async () => {
    await outliers.stop();
    await sandbox.remove();
    await images.remove();
  });

  void it("refuses a share that is none", async () => {
    const ended = await deploy(tagOf("good"), "--canary", "150%");
    assert.notEqual(ended.exitCode, 0);
    assert.match(ended.output, /CANARY: "150%" is not a share such as 10%/);
  });

  void it("goes back by itself when the canary fails what the gate did not ask", async () => {
    const ended = await deploy(await images.build("outliers", "outliers"), "--canary", "30%");
    assert.notEqual(ended.exitCode, 0, ended.output);
    assert.match(ended.output, /The canary failed \d+\.\d % of \d+ requests/);
    assert.match(ended.output, new RegExp(`${tagOf("good")} serves as before`));
    outliers.forget();
    await outliers.answered(100);
    assert.deepEqual(outliers.versions(), [tagOf("good")]);
    assert.equal(outliers.failures, 0);
  });

  void it("goes live when the canary does as well as the version before", async () => {
    outliers.forget();
    const ended = await deploy(await images.build("better", "none"), "--canary", "30%");
    assert.equal(ended.exitCode, 0, ended.output);
    assert.equal(outliers.failures, 0);
    // Both answered for a while, until the switch.
    assert.deepEqual(outliers.versions(), [tagOf("better"), tagOf("good")]);
    outliers.forget();
    await outliers.answered(50);
    assert.deepEqual(outliers.versions(), [tagOf("better")]);
  });

  void describe("and promoted to another stack", () => {
    let other: string;
    before(async () => {
      other = `${sandbox.stack}-b`;
      const [httpPort, httpsPort] = await freePorts(2);
      const file = join(sandbox.root, `Pulumi.${sandbox.stack}.yaml`);
      const { config } = parse(await readFile(file, "utf8")) as { config: Record<string, string> };
      config["mlops:httpPort"] = `${httpPort}`;
      config["mlops:httpsPort"] = `${httpsPort}`;
      await writeFile(join(sandbox.root, `Pulumi.${other}.yaml`), stringify({ config }));
    });
    after(async () => {
      await ThrowawayStack.existing(sandbox.root, other).remove(await dockerClient());
    });
    const promote = (): Promise<Ended> =>
      sandbox.run(["promote", "--from", sandbox.stack, "--to", other, "--yes"]);
    const imageOf = async (reference: string): Promise<string> =>
      (await docker("image", "inspect", "--format", "{{.Id}}", reference))[0] ?? "";

    void it("is refused where its tag stands for another image", async () => {
      const reference = `mlops-app:${tagOf("better")}`;
      const right = await imageOf(reference);
      await docker("tag", `mlops-app:${tagOf("good")}`, reference);
      const wrong = await imageOf(reference);
      const ended = await promote();
      await docker("tag", right, reference);
      assert.notEqual(ended.exitCode, 0);
      assert.ok(ended.output.includes(right) && ended.output.includes(wrong), ended.output);
    });

    void it("is the same image there", async () => {
      const ended = await promote();
      assert.equal(ended.exitCode, 0, ended.output);
      const [image] = await docker(
        ...["ps", "--no-trunc", "--format", "{{.Image}}"],
        ...["--filter", `label=mlops.stack=${other}`, "--filter", "label=mlops.service=app"],
      );
      assert.equal(image, await imageOf(`mlops-app:${tagOf("better")}`));
    });
  });
});

/** Predictions asked for one after the other, of rows that no model has seen. */
class Outliers {
  failures = 0;
  private answers = 0;
  private readonly seen = new Set<string>();
  private running = true;
  private readonly ended: Promise<void>;

  constructor(
    private readonly api: PublicApi,
    private readonly row: Readonly<Record<string, unknown>>,
  ) {
    this.ended = this.run();
  }

  /** Versions that have answered, in the order of their names. */
  versions(): string[] {
    return [...this.seen].sort();
  }

  forget(): void {
    this.failures = 0;
    this.answers = 0;
    this.seen.clear();
  }

  /** Waits for so many answers since {@link forget}. */
  async answered(count: number): Promise<void> {
    while (this.answers + this.failures < count)
      await new Promise((resolve) => setTimeout(resolve, 100));
  }

  async stop(): Promise<void> {
    this.running = false;
    await this.ended;
  }

  private async run(): Promise<void> {
    const [column] = Object.keys(this.row);
    for (let value = 5000; this.running; value += 1) {
      const body = { rows: [{ ...this.row, [column ?? ""]: value }] };
      const answer = await this.api.send("/predict", { method: "POST", body });
      if (answer.status === 200) {
        this.answers += 1;
        this.seen.add((JSON.parse(answer.body) as { version: string }).version);
      } else this.failures += 1;
    }
  }
}
