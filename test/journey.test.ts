import assert from "node:assert/strict";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import type { Manifest } from "../backup/manifest";
import { alertRules } from "../components/alert-rules";
import { filesBelow } from "./files-below";
import { docker, runProgram, Sandbox } from "./sandbox";

interface Prediction {
  readonly predictions: readonly unknown[];
  readonly model: { readonly name: string; readonly version: string };
  readonly cached: boolean;
}

interface Status {
  readonly services: readonly { readonly service: string; readonly health: string }[];
}

const NO_CHANGES = /no changes/i;

void describe("a dev stack, from nothing to a prediction", () => {
  let sandbox: Sandbox;
  before(async () => {
    sandbox = await Sandbox.create("dev");
  });
  after(() => sandbox.remove());

  const container = (service: string): string => `mlops-${sandbox.stack}-${service}`;
  const query = (expression: string): Promise<string[]> =>
    docker(
      "exec",
      container("prometheus"),
      ...["promtool", "query", "instant", "http://127.0.0.1:9090", expression],
    );
  const predict = async (): Promise<Prediction> =>
    JSON.parse((await sandbox.succeed("predict", "--json")).stdout) as Prediction;

  void it("comes up and prints its URLs", async () => {
    const { output } = await sandbox.succeed("up");
    assert.match(output, /url\s+http:\/\/localhost:\d+/);
  });

  void it("says what to do when asked before there is a model", async () => {
    const { exitCode, output } = await sandbox.run(["predict", "--stack", sandbox.stack]);
    assert.notEqual(exitCode, 0);
    assert.match(output, /\.\/mlops train/);
  });

  void it("trains a model, registers it and makes it champion", async () => {
    const { output } = await sandbox.succeed("train");
    assert.match(output, /version 1 is served/);
  });

  void it("answers through nginx with the registered model's version", async () => {
    const first = await predict();
    assert.equal(first.model.version, "1");
    assert.equal(first.predictions.length, 1);
  });

  void it("answers the same question from the cache", async () => {
    assert.equal((await predict()).cached, true);
  });

  void it("has nothing to change any more: up, preview and refresh say so", async () => {
    for (const command of ["up", "preview", "refresh", "preview"])
      assert.match((await sandbox.succeed(command)).output, NO_CHANGES, command);
  });

  void it("shows all services healthy", async () => {
    const { services } = JSON.parse((await sandbox.succeed("status", "--json")).stdout) as Status;
    assert.deepEqual(
      services.map(({ service, health }) => `${service} ${health}`).sort(),
      [
        "app",
        "backup",
        "mlflow",
        "nginx",
        "nginx-exporter",
        "postgres",
        "postgres-exporter",
        "prometheus",
        "redis",
        "redis-exporter",
      ].map((service) => `${service} healthy`),
    );
  });

  void it("is scraped whole by Prometheus", async () => {
    const jobs = ["prometheus", "app", "backup", "mlflow", "postgres", "redis", "nginx"];
    await until(async () => {
      const up = await query("up == 1");
      return jobs.filter((job) => !up.some((line) => line.includes(`job="${job}"`)));
    }, "targets that are down");
  });

  void it("is backed up while it serves, and lists the set as the latest", async () => {
    const { stdout } = await sandbox.succeed("backup", "--json");
    const { manifest } = JSON.parse(stdout) as { readonly manifest: Manifest };
    assert.deepEqual(manifest.problems, []);
    assert.ok(manifest.complete && manifest.verified);
    assert.ok(Number(manifest.postgres?.databases["mlops"]?.rows["public.prediction_log"]) > 0);
    assert.deepEqual(
      manifest.models.map(({ name, version }) => `${name} ${version}`),
      ["reference 1"],
    );
    const listed = JSON.parse((await sandbox.succeed("backups", "--json")).stdout) as {
      readonly latest: string;
    };
    assert.equal(listed.latest, manifest.set);
  });

  void it("has every figure that alerts on backups ask for, and none of them fires", async () => {
    const backup = { schedule: "0 3 * * *", alertAgeHours: 26 };
    const names = alertRules({ stack: sandbox.stack, backup }).match(/\b(mlops_backup|pg)_\w+/g);
    // No restore was tried out yet.
    const asked = new Set(names?.filter((name) => name !== "mlops_backup_drill_last_result"));
    assert.equal(asked.size, 8);
    await until(async () => {
      const figures = await query(`{__name__=~"${[...asked].join("|")}"}`);
      return [...asked].filter((name) => !figures.some((line) => line.startsWith(`${name}{`)));
    }, "figures that are missing");
    assert.deepEqual(await query("ALERTS"), []);
  });

  void it("lets nobody but those on the data network reach Postgres and Redis", async () => {
    const reaches = async (from: string, host: string, port: string): Promise<boolean> => {
      const probe = ["busybox", "nc", "-w", "2", host, port, "-e", "true"];
      return (await runProgram("docker", ["exec", container(from), ...probe])).exitCode === 0;
    };
    assert.equal(await reaches("nginx", "postgres", "5432"), false);
    assert.equal(await reaches("nginx", "redis", "6379"), false);
    assert.equal(await reaches("nginx", "mlflow", "5000"), true);
    assert.equal(await reaches("mlflow", "postgres", "5432"), true);
  });

  void it("shows its passwords nowhere: not to docker inspect, in logs, or in the state", async () => {
    const [pgpass] = await docker("exec", container("mlflow"), "cat", "/run/secrets/pgpass");
    const [redis] = await docker("exec", container("app"), "cat", "/run/secrets/redis_password");
    const secrets = [pgpass?.split(":").at(-1) ?? "", redis ?? ""];
    for (const secret of secrets) assert.match(secret, /^[A-Za-z0-9]{32}$/);
    const ids = await docker("ps", "--quiet", "--filter", `label=mlops.stack=${sandbox.stack}`);
    const inspected = await runProgram("docker", ["inspect", ...ids]);
    const logs = await Promise.all(ids.map((id) => runProgram("docker", ["logs", id])));
    const state = filesBelow(join(sandbox.root, ".mlops"));
    assert.ok(state.length > 0);
    const places: [string, string][] = [
      ["docker inspect", inspected.output],
      ["a log", logs.map(({ output }) => output).join("\n")],
      ...state,
    ];
    for (const secret of secrets)
      for (const [where, text] of places)
        assert.ok(!text.includes(secret), `a password is in ${where}`);
  });

  void it("goes down without its data, and comes up again with it", async () => {
    await sandbox.succeed("down");
    const left = await docker(
      "ps",
      "--all",
      "--quiet",
      "--filter",
      `label=mlops.stack=${sandbox.stack}`,
    );
    assert.deepEqual(left, []);
    await sandbox.succeed("up");
    assert.equal((await predict()).model.version, "1");
  });

  void it("still knows what ran before it went down", async () => {
    const { releases } = JSON.parse((await sandbox.succeed("releases", "--json")).stdout) as {
      releases: readonly { passed: boolean; model?: { version: string } | null }[];
    };
    assert.deepEqual(
      releases.map(({ passed, model }) => [passed, model?.version]),
      [
        [true, "1"],
        [true, undefined],
      ],
    );
  });
});

void describe("a staging stack", () => {
  let sandbox: Sandbox;
  let tag: string;
  let env: Record<string, string>;
  before(async () => {
    sandbox = await Sandbox.create("staging");
    tag = `v0.0.0-${sandbox.stack}`;
    env = { TAG: tag };
  });
  after(async () => {
    await sandbox.remove();
    await runProgram("docker", ["image", "rm", `mlops-app:${tag}`]);
  });
  const run = async (command: string): Promise<string> => {
    const ended = await sandbox.run([command, "--stack", sandbox.stack], env);
    assert.equal(ended.exitCode, 0, ended.output);
    return ended.output;
  };

  void it("runs the release that was built, over TLS", async () => {
    const built = await sandbox.run(["build", tag]);
    assert.equal(built.exitCode, 0, built.output);
    assert.match(await run("up"), /url\s+https:\/\/localhost:\d+/);
    await run("train");
    assert.match(await run("predict"), /version 1/);
  });

  void it("has nothing to change any more", async () => {
    for (const command of ["preview", "refresh", "up"])
      assert.match(await run(command), NO_CHANGES, command);
  });
});

/** Waits until a check has nothing left to complain of. */
async function until(check: () => Promise<readonly string[]>, what: string): Promise<void> {
  const deadline = Date.now() + 60_000;
  for (;;) {
    const left = await check();
    if (left.length === 0) return;
    assert.ok(Date.now() < deadline, `${what}: ${left.join(", ")}`);
    await new Promise((resolve) => setTimeout(resolve, 500));
  }
}
