import assert from "node:assert/strict";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import type Docker from "dockerode";
import { dockerClient } from "../cli/docker";
import { PublicApi } from "../cli/public-api";
import { filesBelow } from "./files-below";
import { assertNothingLost, MeasuredLoad } from "./measured-load";
import { docker, runProgram, Sandbox } from "./sandbox";
import { until } from "./until";

/** Roles of Postgres, with a database that each may connect to. */
const ROLES = { superuser: "postgres", mlops: "mlops", mlflow: "mlflow", metrics: "postgres" };

const EVERYBODY = [...Object.keys(ROLES), "redis"];

/** Passwords by role, `redis` among them. */
type Passwords = Readonly<Record<keyof typeof ROLES | "redis", string>>;

/** What is restarted: the port of each exporter, and the figure that says that it is let in. */
const EXPORTERS = [
  ["postgres-exporter", 9187, "pg_up"],
  ["redis-exporter", 9121, "redis_up"],
] as const;

void describe("passwords of a stack that serves", { timeout: 10 * 60_000 }, () => {
  let sandbox: Sandbox;
  let client: Docker;
  let api: PublicApi;
  let tag: string;
  let loads = 0;
  /** All that was printed. */
  let printed = "";
  /** All passwords that there ever were, and those that are no more. */
  const known: Passwords[] = [];
  const retired: Passwords[] = [];

  const container = (service: string): string => `mlops-${sandbox.stack}-${service}`;
  const startLoad = (): Promise<MeasuredLoad> =>
    MeasuredLoad.start({ docker: client, api, stack: sandbox.stack, load: (loads += 1) });
  const succeed = async (...args: readonly string[]): Promise<string> => {
    const ended = await sandbox.run([...args, "--stack", sandbox.stack]);
    printed += ended.output;
    assert.equal(ended.exitCode, 0, `./mlops ${args.join(" ")} failed:\n${ended.output}`);
    return args.includes("--json") ? ended.stdout : ended.output;
  };
  const passwords = async (): Promise<Passwords> => {
    const { exitCode, stdout, output } = await sandbox.pulumi([
      "stack",
      "export",
      "--show-secrets",
    ]);
    assert.equal(exitCode, 0, output);
    const { deployment } = JSON.parse(stdout) as {
      deployment: {
        resources: {
          urn: string;
          delete?: boolean;
          outputs?: { result?: { plaintext: string } };
        }[];
      };
    };
    const of = (name: string): string => {
      const end = `-${name}-password`;
      const found = deployment.resources.filter(
        ({ urn, ...more }) => urn.endsWith(end) && !more.delete,
      );
      assert.equal(found.length, 1, name);
      const password = JSON.parse(found[0]?.outputs?.result?.plaintext ?? "null") as string;
      assert.match(password, /^[A-Za-z0-9]{32}$/);
      return password;
    };
    const roles = Object.keys(ROLES).map((role) => [role, of(`postgres-${role}`)]);
    const all = { ...Object.fromEntries(roles), redis: of("redis") } as Passwords;
    known.push(all);
    return all;
  };
  /** Containers that run, by service. */
  const running = async (): Promise<ReadonlyMap<string, string>> => {
    const format = '{{.Label "mlops.service"}} {{.ID}}';
    const filter = `label=mlops.stack=${sandbox.stack}`;
    const lines = await docker("ps", "--no-trunc", "--format", format, "--filter", filter);
    return new Map(lines.map((line) => line.split(" ") as [string, string]));
  };
  /** Which of the passwords let a client on the network in. */
  const accepted = async (given: Passwords): Promise<string[]> => {
    const postgres = Object.entries(ROLES).map(async ([role, database]) => {
      const user = role === "superuser" ? "postgres" : role;
      const psql = `psql --no-psqlrc --host=postgres --username=${user} --dbname=${database}`;
      const line = `read -r PGPASSWORD; export PGPASSWORD; ${psql} --command='SELECT 1'`;
      const args = ["exec", "--interactive", container("postgres"), "sh", "-c", line];
      const input = `${given[role as keyof Passwords]}\n`;
      const { exitCode, output } = await runProgram("docker", args, { input });
      if (exitCode !== 0) assert.match(output, /password authentication failed/);
      return exitCode === 0 ? [role] : [];
    });
    const cli = "redis-cli -h redis --no-auth-warning".split(" ");
    const args = ["exec", "--interactive", container("redis"), ...cli];
    const { output } = await runProgram("docker", args, { input: `AUTH ${given.redis}\n` });
    assert.match(output, /^(OK|WRONGPASS)/);
    return [...(await Promise.all(postgres)).flat(), ...(output.startsWith("OK") ? ["redis"] : [])];
  };
  /** Makes whoever is logged in to a database log in anew. */
  const endConnections = async (...users: readonly string[]): Promise<void> => {
    const list = users.map((user) => `'${user}'`).join();
    const query = `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename IN (${list})`;
    const psql = "psql --no-psqlrc --tuples-only --no-align --username=postgres".split(" ");
    const ended = await docker("exec", container("postgres"), ...psql, `--command=${query}`);
    assert.ok(ended.length >= users.length, `${ended.length} connections of ${list}`);
  };
  const dependencies = async (): Promise<readonly string[]> => {
    const { body } = await api.send("/health");
    const health = JSON.parse(body) as {
      dependencies: Readonly<Record<string, { status: string }>>;
    };
    return Object.values(health.dependencies).map(({ status }) => status);
  };
  /** The present passwords are the only ones, and what logs in anew does so with them. */
  const assertConsistent = async (): Promise<void> => {
    assert.deepEqual(await accepted(await passwords()), EVERYBODY);
    for (const before of retired) assert.deepEqual(await accepted(before), []);
    await endConnections("mlops", "mlflow");
    assert.match(await succeed("model", "list", "--json"), /"version": "1"/);
    await until(async () => (await dependencies()).every((status) => status === "up"));
    for (const [service, port, metric] of EXPORTERS) {
      const line = ["busybox", "wget", "-q", "-O", "-", `http://127.0.0.1:${port}/metrics`];
      const metrics = await docker("exec", container(service), ...line);
      assert.ok(metrics.includes(`${metric} 1`), `${metric} of ${service}`);
    }
  };

  before(async () => {
    // Protected, and never without a TAG, as prod is.
    sandbox = await Sandbox.create("dev", { protectData: "true", requireTag: "true" });
    client = await dockerClient();
    tag = `v0.0.0-${sandbox.stack}`;
    const built = await sandbox.run(["build", tag]);
    assert.equal(built.exitCode, 0, built.output);
    const { outputs } = JSON.parse(await succeed("deploy", tag, "--json")) as {
      outputs: { url: string };
    };
    await succeed("train");
    api = await PublicApi.at(client, { url: outputs.url, stack: sandbox.stack });
  });
  after(async () => {
    await sandbox.remove();
    await runProgram("docker", ["image", "rm", `mlops-app:${tag}`]);
  });

  void it("are all new after one command, which nobody notices", async () => {
    retired.push(await passwords());
    const before = await running();
    const load = await startLoad();
    try {
      const { seconds, ...report } = JSON.parse(await succeed("rotate", "all", "--json")) as {
        seconds: number;
      };
      assert.ok(seconds > 0);
      const services = EXPORTERS.map(([service]) => service);
      assert.deepEqual(report, {
        stack: sandbox.stack,
        release: tag,
        rotated: [
          ...["metrics", "mlflow", "mlops", "superuser"].map((role) => `postgres-${role}`),
          "redis",
        ],
        restarted: services,
      });
      const after = await running();
      const others = [...before.keys()].filter(
        (service) => after.get(service) !== before.get(service),
      );
      assert.deepEqual(others.sort(), services);
      await load.go(2);
      assertNothingLost(await load.stop());
    } finally {
      load.kill();
    }
    await assertConsistent();
  });

  void it("leave nothing to change, and are those that backups are made with", async () => {
    assert.match(await succeed("deploy", tag), /no changes/i);
    const { manifest } = JSON.parse(await succeed("backup", "--json")) as {
      manifest: { verified: boolean };
    };
    assert.equal(manifest.verified, true);
    await until(async () => {
      const query = ["promtool", "query", "instant", "http://127.0.0.1:9090", "min(up)"];
      const [up] = await docker("exec", container("prometheus"), ...query);
      return /=> 1 /.test(up ?? "");
    });
  });

  void it("are one consistent set again after a rotation that was killed half-way", async () => {
    retired.push(await passwords());
    const load = await startLoad();
    try {
      let killing: Promise<void> | undefined;
      const rotation = sandbox.start(
        ["rotate", "all", "--stack", sandbox.stack],
        {},
        // Postgres has the new passwords, and nobody else.
        ({ text }) => {
          if (/✓ updated Command \S+-postgres-roles /.test(text)) killing ??= rotation.kill();
        },
      );
      const { exitCode, lines } = await rotation.ended;
      await killing;
      printed += lines.map(({ text }) => `${text}\n`).join("");
      assert.equal(exitCode, null, printed);
      assert.deepEqual(await accepted(retired.at(-1) ?? assert.fail()), ["redis"]);
      // Worse than a kill alone: the app has to log in, and may have the old password only.
      await endConnections("mlops");
      await load.go(2);
      await succeed("deploy", tag);
      await load.go(2);
      assertNothingLost(await load.stop());
    } finally {
      load.kill();
    }
    await assertConsistent();
    assert.match(await succeed("deploy", tag), /no changes/i);
  });

  void it("can be those of one service", async () => {
    const before = await passwords();
    assert.match(await succeed("rotate", "mlflow"), /postgres-mlflow\.\s+Restarted: nothing\./);
    const after = await passwords();
    assert.notEqual(after.mlflow, before.mlflow);
    assert.deepEqual({ ...after, mlflow: "" }, { ...before, mlflow: "" });
    const others = EVERYBODY.filter((role) => role !== "mlflow");
    assert.deepEqual(await accepted(before), others);
    await assertConsistent();
  });

  void it("were never printed, nor written anywhere in the clear", () => {
    const secrets = known.flatMap((each) => Object.values(each));
    assert.ok(new Set(secrets).size >= 3 * EVERYBODY.length + 1);
    const files = filesBelow(join(sandbox.root, ".mlops"));
    assert.ok(files.some(([path]) => /logs\/deployment-/.test(path)));
    for (const secret of secrets)
      for (const [where, text] of [["the output", printed] as const, ...files])
        assert.ok(!text.includes(secret), `a password is in ${where}`);
  });
});
