import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import type { Manifest } from "../backup/manifest";
import type { Run } from "../backup/runs";
import type { AgentRun } from "./testing/agent-run";
import { BackedUp } from "./testing/backed-up";
import { damageNewestBackup } from "./testing/damage";

void describe("a restore by the agent", () => {
  let world: BackedUp;
  let first: Manifest;
  let second: Manifest;
  /** Between the two sets. */
  let moment: string;

  before(async () => {
    world = await BackedUp.create("prod");
    await world.sql("postgres", "CREATE DATABASE mlops;\nCREATE DATABASE mlflow;");
    await world.sql("mlops", "CREATE TABLE log (id int PRIMARY KEY, text text);");
    await insert(1, 1000);
    await world.redis("SET", "answer", "first");
    first = await world.backUp();
    await insert(1001, 1500);
    moment = (await world.sql("postgres", "SELECT now()")).trim();
    await insert(1501, 2000);
    await world.redis("SET", "answer", "second");
    second = await world.backUp();
    await insert(2001, 2100);
    await world.sql("postgres", "SELECT pg_switch_wal()");
  });
  after(() => world.remove());

  const insert = (from: number, to: number): Promise<string> =>
    world.sql(
      "mlops",
      `INSERT INTO log SELECT i, 'row ' || i FROM generate_series(${from}, ${to}) i;`,
    );
  const count = async (): Promise<string> =>
    (await world.sql("mlops", "SELECT count(*) FROM log")).trim();
  const unverified = ["--unverified"];
  const restoreAs = (id: string, ...wish: readonly string[]): Promise<AgentRun> =>
    world.restore(["restore", "--id", id, ...wish, ...unverified]);
  const lastDrill = async (): Promise<Run> =>
    (await world.agent("list")).result["lastDrill"] as Run;
  const start = async (): Promise<void> => {
    await Promise.all([world.startPostgres(), world.startRedis()]);
  };

  void it("says what was held exactly where it is restored to", () => {
    assert.equal(first.postgres?.databases["mlops"]?.rows["public.log"], 1000);
    assert.equal(second.postgres?.databases["mlops"]?.rows["public.log"], 2000);
    assert.ok(second.postgres.lockedMs < 3000, "writers wait for moments only");
    assert.ok(second.sequence > first.sequence);
    // Nothing but MLflow's server is missing in this test.
    assert.deepEqual(second.problems.length, 1);
    assert.match(second.problems[0] ?? "", /^mlflow: does not answer/);
  });

  void it("restores a moment, and all that the archive has", async () => {
    const at = new Date(moment).toISOString();
    const then = await restoreAs("then", "--at", at);
    assert.equal(then.exitCode, 0, then.stderr);
    assert.equal(rowsOf(then), 1500);
    const end = await restoreAs("end");
    assert.equal(end.exitCode, 0, end.stderr);
    assert.equal(rowsOf(end), 2100);
  });

  void it("restores a set exactly, beside what is live", async () => {
    const { exitCode, result, stderr } = await restoreAs("one", "--set", first.set);
    assert.equal(exitCode, 0, stderr);
    assert.deepEqual(result["databases"], first.postgres?.databases);
    assert.equal(await count(), "2100");
  });

  void it("switches to it, and back", async () => {
    await world.stop();
    assert.equal((await world.restore(["swap", "--id", "one"])).exitCode, 0);
    await start();
    assert.equal(await count(), "1000");
    assert.equal(await world.redis("GET", "answer"), "first");
    await world.stop();
    assert.equal((await world.restore(["swap", "--id", "one", "--back"])).exitCode, 0);
    await start();
    assert.equal(await count(), "2100");
    assert.equal(await world.redis("GET", "answer"), "second");
  });

  void it("restores a set in a drill, proves it, and leaves nothing but word of it", async () => {
    const drill = await world.agent("drill", "--set", second.set, ...unverified);
    assert.equal(drill.exitCode, 0, drill.stderr);
    assert.deepEqual(drill.result["databases"], second.postgres?.databases);
    assert.deepEqual(drill.result["volumes"], [
      "postgres",
      "mlflow",
      "redis",
      "app-data",
      "app-models",
    ]);
    assert.equal(await world.shell("ls /v/scratch"), "drill.lock\ndrill.lock.json");
    const { succeeded, seconds } = await lastDrill();
    assert.ok(succeeded && seconds > 0);
    assert.equal(await count(), "2100");
  });

  void it("has a backup made while a drill runs, whose set stays", async () => {
    const running = world.agent("drill", "--set", first.set, ...unverified);
    await world.inAgent(
      "the drill restores",
      "test -e /scratch/drill/postgres/.restore/drill/new/pgdata",
    );
    const [drill, backup] = await Promise.all([running, world.agent("backup")]);
    assert.equal(drill.exitCode, 0, drill.stderr);
    assert.deepEqual(drill.result["databases"], first.postgres?.databases);
    assert.equal((backup.events.at(-1)?.["manifest"] as Manifest | undefined)?.verified, true);
  });

  void it("ends what a killed drill had started, and removes what it had restored, with the next one", async () => {
    const running = world.agent("drill", "--set", first.set, ...unverified);
    await world.inAgent("the drill's Postgres runs", "pgrep -f 'postgres -D /scratch/dril[l]'");
    await world.inAgent("the drill is killed", "pkill -KILL -f 'agent dril[l]'");
    assert.notEqual((await running).exitCode, 0);
    assert.match(await world.shell("ls /v/scratch/drill"), /postgres/);
    const { exitCode, stderr } = await world.agent("drill", "--set", first.set, ...unverified);
    assert.equal(exitCode, 0, stderr);
    assert.equal(await world.shell("ls /v/scratch"), "drill.lock\ndrill.lock.json");
    await world.inAgent("nothing of it runs", "! pgrep -u postgres");
  });

  void it("writes down a drill that failed, and why", async () => {
    const { exitCode, stderr } = await world.agent("drill");
    assert.equal(exitCode, 1);
    assert.match(stderr, /There is no verified set/);
    const { succeeded, problem } = await lastDrill();
    assert.equal(succeeded, false);
    assert.match(problem ?? "", /There is no verified set/);
  });

  void it("refuses a set that there is none of, and one that is not verified", async () => {
    const missing = await restoreAs("none", "--set", "20200101T000000Z");
    assert.equal(missing.exitCode, 1);
    assert.match(missing.stderr, /There is no set "20200101T000000Z"; nothing was changed/);
    const incomplete = await world.restore(["restore", "--id", "bad", "--set", first.set]);
    assert.equal(incomplete.exitCode, 1);
    assert.match(incomplete.stderr, /is not verified \(mlflow: does not answer/);
  });

  void it("lets one work on the repository at a time, and says who does", async () => {
    const [one, other] = await Promise.all([world.agent("backup"), world.agent("backup")]);
    const refused = [one, other].filter(({ stderr }) => stderr.includes("is in use"));
    assert.equal(refused.length, 1, `${one.stderr}${other.stderr}`);
    assert.match(refused[0]?.stderr ?? "", /a backup runs since|another command runs/);
  });

  void it("survives a backup that is killed: the next one is good, and nothing is left of it", async () => {
    const sets = async (): Promise<string[]> =>
      ((await world.agent("list")).result["sets"] as readonly Manifest[]).map(({ set }) => set);
    const before = await sets();
    await world.killBackup();
    assert.deepEqual(await sets(), before);
    const { set } = await world.backUp();
    assert.deepEqual(await sets(), [...before, set]);
  });

  void it("finds a flipped byte before anybody needs the set, and restores an earlier one", async () => {
    const earlier = (await world.backUp()).set;
    await insert(3001, 3010);
    await damageNewestBackup(world);
    const { events, exitCode, stderr } = await world.agent("verify");
    assert.equal(exitCode, 1, JSON.stringify(events));
    assert.match(stderr, /is damaged/);
    const restored = await restoreAs("earlier", "--set", first.set);
    assert.equal(restored.exitCode, 0, restored.stderr);
    assert.ok(earlier > first.set);
  });
});

/** Rows of the test's table that a restore found. */
function rowsOf({ result }: AgentRun): number | undefined {
  return (result["databases"] as NonNullable<Manifest["postgres"]>["databases"])["mlops"]?.rows[
    "public.log"
  ];
}
