import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import type { Manifest } from "../backup/manifest";
import { dockerClient } from "../cli/docker";
import type { RestoreDrillResult } from "../cli/drill/restore";
import { ThrowawayStack } from "../cli/drill/throwaway-stack";
import type { RestoreReport } from "../cli/restore/restore";
import { docker, Sandbox } from "./sandbox";
import { until } from "./until";

void describe("a stack that is restored", { timeout: 20 * 60_000 }, () => {
  let sandbox: Sandbox;
  let copy: string;
  let first: Manifest;
  /** Rows that the first set has, and rows that came after it. */
  let backedUp: readonly string[];
  let written: readonly string[];

  const container = (service: string, stack = sandbox.stack): string => `mlops-${stack}-${service}`;
  const sql = async (query: string, database = "mlops", stack?: string): Promise<string[]> => {
    const psql = `psql --no-psqlrc --tuples-only --no-align --username=postgres --dbname=${database}`;
    return docker(
      ...["exec", container("postgres", stack), ...psql.split(" "), `--command=${query}`],
    );
  };
  /** The prediction log, by the ids of its rows. */
  const ids = (stack?: string): Promise<string[]> =>
    sql("SELECT id FROM prediction_log ORDER BY id", "mlops", stack);
  /** Predicts, and waits for the row: the app writes its log behind its answers. */
  const predict = async (): Promise<readonly string[]> => {
    const before = (await ids()).length;
    await sandbox.succeed("predict");
    await until(async () => (await ids()).length > before);
    return ids();
  };
  /** Which of these rows a stack has. */
  const present = async (wanted: readonly string[], stack?: string): Promise<string[]> => {
    const found = new Set(await ids(stack));
    return wanted.filter((id) => found.has(id));
  };
  const backUp = async (): Promise<Manifest> =>
    (JSON.parse((await sandbox.succeed("backup", "--json")).stdout) as { manifest: Manifest })
      .manifest;
  const restore = async (...args: readonly string[]): Promise<RestoreReport> =>
    JSON.parse((await sandbox.succeed("restore", ...args, "--json")).stdout) as RestoreReport;
  const refused = async (args: readonly string[], why: RegExp): Promise<void> => {
    const { exitCode, output } = await sandbox.run([...args, "--stack", sandbox.stack]);
    assert.notEqual(exitCode, 0, output);
    assert.match(output, why);
  };

  before(async () => {
    sandbox = await Sandbox.create("dev", { appHostPort: "0" });
    copy = `${sandbox.stack}-copy`;
    await sandbox.succeed("up");
    await sandbox.succeed("train");
    backedUp = await predict();
    first = await backUp();
    const all = await predict();
    written = all.filter((id) => !backedUp.includes(id));
  });
  after(async () => {
    await removeCopy();
    await sandbox.remove();
  });
  const removeCopy = async (): Promise<void> =>
    ThrowawayStack.existing(join(sandbox.root, "none"), copy).remove(await dockerClient());
  const assertAsBackedUp = async (stack?: string): Promise<void> => {
    assert.deepEqual(await present(backedUp, stack), backedUp);
    assert.deepEqual(await present(written, stack), []);
  };
  const assertAsBefore = async (): Promise<void> => {
    assert.deepEqual(await present([...backedUp, ...written]), [...backedUp, ...written]);
  };

  void it("is left alone while it is up, and where nothing fits what is asked for", async () => {
    await refused(["restore"], /is up; nothing was changed.*--replace/s);
    await refused(["restore", "20200101T000000Z", "--replace", "--no-safety"], /There is no set/);
    await refused(
      ["restore", "--undo", "none"],
      /The restore none is not what stack .* runs on; nothing was changed/,
    );
    await refused(["restore", "--at", "2026-11-23 09:00:00"], /offset from UTC/);
    await assertAsBefore();
  });

  void it("is proved by a drill of which nothing stays, while it serves", async () => {
    const command = ["drill", "restore", "--json", "--stack", sandbox.stack];
    const { exitCode, stdout, output } = await sandbox.run(command);
    assert.equal(exitCode, 0, output);
    const result = JSON.parse(stdout) as RestoreDrillResult;
    assert.equal(result.set, first.set);
    assert.deepEqual(
      result.models.map(({ name, version, rows }) => [name, version, rows]),
      [["reference", "1", 3]],
    );
    assert.ok(result.recoverySeconds > 0);
    for (const kind of ["container", "volume", "network"])
      assert.deepEqual(
        await docker(kind, "ls", "--quiet", "--filter", `label=mlops.drill=${sandbox.stack}`),
        [],
      );
  });

  void it("has what the set held beside it, in a stack of its own", async () => {
    const report = await restore(first.set, "--into", copy);
    assert.equal(report.stack, copy);
    await assertAsBackedUp(copy);
    await assertAsBefore();
    const config = await readFile(join(sandbox.root, `Pulumi.${copy}.yaml`), "utf8");
    assert.doesNotMatch(config, /backup|encryptionsalt: (?!v1)/);
    await refused(["restore", "--into", copy], /exists; nothing was changed/);
    const { stdout } = await sandbox.run(["predict", "--stack", copy, "--json"]);
    assert.match(stdout, /"version": "1"/);
    await removeCopy();
  });

  void it("has exactly what the set held, also when it was killed while it switched", async () => {
    const command = ["restore", "--replace", "--stack", sandbox.stack];
    const killed = spawn(join(sandbox.root, "mlops"), command, {
      cwd: sandbox.root,
      env: sandbox.environment,
      detached: true,
      stdio: "ignore",
    });
    const ended = once(killed, "exit");
    const task = ["--filter", `label=mlops.stack=${sandbox.stack}`, "--filter", "label=mlops.task=switch"]; // prettier-ignore
    await until(async () => (await docker("ps", "--all", "--quiet", ...task)).length > 0);
    process.kill(-(killed.pid ?? 0), "SIGKILL");
    await ended;
    const { output } = await sandbox.succeed("up");
    assert.match(output, /Finishing the switch of data/);
    assert.deepEqual(await docker("ps", "--all", "--quiet", ...task), []);
    await assertAsBackedUp();
    const { sets } = JSON.parse((await sandbox.succeed("backups", "--json")).stdout) as {
      readonly sets: readonly Manifest[];
    };
    assert.deepEqual(
      sets.map(({ reason }) => reason),
      ["manual", "safety"],
    );
  });

  void it("goes back to what it had before, and is backed up again from there", async () => {
    const { output } = await sandbox.succeed("backups");
    const id = /restore --forget (\S+) /.exec(output)?.[1] ?? output;
    await sandbox.succeed("restore", "--undo", id);
    await assertAsBefore();
    await backUp();
    await sandbox.succeed("restore", "--forget", id);
    await refused(["restore", "--forget", id], /There is no restore/);
  });

  void it("refuses a database of a newer release, and stays as it is", async () => {
    const [revision = ""] = await sql("SELECT version_num FROM alembic_version");
    await sql("UPDATE alembic_version SET version_num = 'from-the-future'");
    const { set } = await backUp();
    await sql(`UPDATE alembic_version SET version_num = '${revision}'`);
    await refused(
      ["restore", set, "--replace", "--no-safety"],
      /schema from-the-future, which the release .* does not know.*TAG=/s,
    );
    await sandbox.succeed("predict");
  });

  void it("runs on what it had before where it does not come up on what was restored", async () => {
    const [revision = ""] = await sql("SELECT version_num FROM alembic_version", "mlflow");
    await sql("UPDATE alembic_version SET version_num = 'unknown'", "mlflow");
    const { set } = await backUp();
    await sql(`UPDATE alembic_version SET version_num = '${revision}'`, "mlflow");
    await refused(
      ["restore", set, "--replace", "--no-safety"],
      /did not come up on what was restored, and runs on what was live before again.*Can't locate revision/s,
    );
    assert.equal((await sql("SELECT version_num FROM alembic_version", "mlflow"))[0], revision);
    await sandbox.succeed("predict");
  });
});
