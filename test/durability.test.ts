import assert from "node:assert/strict";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import type Docker from "dockerode";
import type { Manifest } from "../backup/manifest";
import { dockerClient } from "../cli/docker";
import { PublicApi } from "../cli/public-api";
import { assertNothingLost, MeasuredLoad } from "./measured-load";
import { docker, Sandbox } from "./sandbox";
import { until } from "./until";

void describe("a stack that loses what it stands on", { timeout: 15 * 60_000 }, () => {
  let sandbox: Sandbox;
  let client: Docker;
  let api: PublicApi;
  let loads = 0;

  const container = (service: string): string => `mlops-${sandbox.stack}-${service}`;
  const ofStack = (): string[] => ["--filter", `label=mlops.stack=${sandbox.stack}`];
  const startLoad = (): Promise<MeasuredLoad> =>
    MeasuredLoad.start({ docker: client, api, stack: sandbox.stack, load: (loads += 1) });
  const isRunning = async (service: string): Promise<boolean> => {
    const [running] = await docker("inspect", "-f", "{{.State.Running}}", container(service));
    return running === "true";
  };
  const sql = async (query: string): Promise<string> => {
    const psql = "psql --no-psqlrc --tuples-only --no-align --username=postgres --dbname=mlops";
    const line = ["exec", container("postgres"), ...psql.split(" "), `--command=${query}`];
    return (await docker(...line)).join("\n");
  };
  /** Rows of the prediction log, by their ids. */
  const rows = async (): Promise<readonly string[]> =>
    (await sql("SELECT id FROM prediction_log")).split("\n").filter((id) => id !== "");
  const assertHasRows = async (known: readonly string[]): Promise<void> => {
    assert.ok(known.length > 0);
    const present = new Set(await rows());
    assert.deepEqual(
      known.filter((id) => !present.has(id)),
      [],
    );
  };
  const assertPredicts = async (): Promise<void> => {
    const { stdout } = await sandbox.succeed("predict", "--json");
    assert.equal((JSON.parse(stdout) as { model: { version: string } }).model.version, "1");
  };

  before(async () => {
    // Protected as prod is, so that what may be done there without a word is done here.
    sandbox = await Sandbox.create("dev", { protectData: "true" });
    client = await dockerClient();
    const { stdout } = await sandbox.succeed("up", "--json");
    await sandbox.succeed("train");
    const { outputs } = JSON.parse(stdout) as { outputs: { url: string } };
    api = await PublicApi.at(client, { url: outputs.url, stack: sandbox.stack });
  });
  after(() => sandbox.remove());

  void it("has every answered prediction in its log after Postgres was killed, twice", async () => {
    assert.equal(await sql("SHOW data_checksums"), "on");
    const load = await startLoad();
    try {
      // Its own process, as the kernel does when memory ends: Docker starts it again.
      const pid = "head -1 $PGDATA/postmaster.pid";
      await docker("exec", container("postgres"), "sh", "-c", `kill -9 $(${pid})`);
      await until(async () => {
        const [count] = await docker("inspect", "-f", "{{.RestartCount}}", container("postgres"));
        return count === "1" && (await isRunning("postgres"));
      });
      await load.go(2);
      // By a person, whose word Docker takes: it stays away until a deployment notices.
      await docker("kill", container("postgres"));
      await load.go(5);
      assert.equal(await isRunning("postgres"), false);
      const { output } = await sandbox.succeed("up");
      assert.match(output, /removed by hand.*-postgres\b/);
      await load.go(2);
      assertNothingLost(await load.stop());
    } finally {
      load.kill();
    }
  });

  void it("makes a set of one moment while requests keep coming, and fails none of them", async () => {
    const load = await startLoad();
    try {
      const before = (await rows()).length;
      const { stdout } = await sandbox.succeed("backup", "--json");
      const after = (await rows()).length;
      await load.go(1);
      assertNothingLost(await load.stop());
      const { manifest } = JSON.parse(stdout) as { readonly manifest: Manifest };
      assert.ok(manifest.complete && manifest.verified, manifest.problems.join("\n"));
      const saved = manifest.postgres?.databases["mlops"]?.rows["public.prediction_log"] ?? NaN;
      assert.ok(before < after, `${before} rows before and ${after} after`);
      assert.ok(before <= saved && saved <= after, `${saved} rows of ${before} to ${after}`);
    } finally {
      load.kill();
    }
  });

  void it("comes back with all its data when every container was removed by hand", async () => {
    const known = await rows();
    const before = await docker("ps", "--format", '{{.Label "mlops.service"}}', ...ofStack());
    await docker("rm", "--force", ...(await docker("ps", "--all", "--quiet", ...ofStack())));
    await sandbox.succeed("up");
    const now = await docker("ps", "--format", '{{.Label "mlops.service"}}', ...ofStack());
    assert.deepEqual(now.sort(), before.sort());
    await assertHasRows(known);
    await assertPredicts();
  });

  void it("stops at its data when Pulumi is told to destroy it, and names what goes further", async () => {
    const running = await docker("ps", "--quiet", ...ofStack());
    const { exitCode, output } = await sandbox.pulumi(["destroy", "--yes"]);
    assert.notEqual(exitCode, 0, output);
    assert.match(output, /`pulumi state unprotect '\S+-postgres-data'`/);
    assert.deepEqual(await docker("ps", "--quiet", ...ofStack()), running);
  });

  void it("is taken over with every row when its state is gone", async () => {
    await assertPredicts();
    const known = await rows();
    await rm(join(sandbox.root, ".mlops", "state"), { recursive: true });
    const refused = await sandbox.run(["up", "--stack", sandbox.stack]);
    assert.notEqual(refused.exitCode, 0, refused.output);
    assert.match(refused.output, /state was lost, take over: \.\/mlops up --stack \S+ --adopt/);
    await assertHasRows(known);
    await sandbox.succeed("up", "--adopt");
    await assertHasRows(known);
    await assertPredicts();
    assert.match((await sandbox.succeed("up")).output, /no changes/i);
  });

  void it("deletes no data that was not asked for by its name, twice", async () => {
    const volumes = (): Promise<string[]> =>
      docker("volume", "ls", "--quiet", ...ofStack(), "--filter", "label=mlops.data=true");
    const before = await volumes();
    const [gone, another] = [container("prometheus-data"), container("app-logs")];
    const line = ["down", "--stack", sandbox.stack, "--delete-data"];
    for (const [asked, typed] of [
      [[container("secrets")], ""],
      [[gone], `${another}\n`],
      [[gone, another], `${gone}\n`],
    ] as const) {
      const { exitCode, output } = await sandbox.run([...line, ...asked], {}, typed);
      assert.notEqual(exitCode, 0, output);
      assert.match(output, /nothing was changed/);
    }
    assert.ok(await isRunning("app"), "the app still runs");
    const { exitCode, output } = await sandbox.run(
      [...line, gone, another],
      {},
      `${gone}\n${another}\n`,
    );
    assert.equal(exitCode, 0, output);
    const left = before.filter((volume) => volume !== gone && volume !== another);
    assert.deepEqual(await volumes(), left);
    // What it says next goes the whole way, and asks again for each.
    const further = /\.\/mlops (down .* --delete-data .*)$/m.exec(output)?.[1] ?? "";
    const typed = left.map((volume) => `${volume}\n`).join("");
    const last = await sandbox.run(further.split(" "), {}, typed);
    assert.equal(last.exitCode, 0, last.output);
    assert.deepEqual(await volumes(), []);
  });
});
