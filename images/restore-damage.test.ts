import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { sealManifest, type Manifest } from "../backup/manifest";
import type { Run } from "../backup/runs";
import type { AgentRun } from "./testing/agent-run";
import { BackedUp } from "./testing/backed-up";
import {
  addArtifact,
  emptyRepository,
  fillRepository,
  removeArtifact,
  truncateNewestBackup,
  truncatePacks,
  writeSet,
} from "./testing/damage";

/** Room for the repository. */
const REPOSITORY_MEBIBYTES = 200;

void describe("what goes wrong with backups, loudly, while earlier sets can be used", () => {
  let world: BackedUp;
  let first: Manifest;

  before(async () => {
    world = await BackedUp.create("prod", {
      repositoryMebibytes: REPOSITORY_MEBIBYTES,
      hasMlflow: true,
    });
    await world.keepSets();
    await world.sql("postgres", "CREATE DATABASE mlops;\nCREATE DATABASE mlflow;");
    await world.sql("mlops", "CREATE TABLE log (id int PRIMARY KEY, text text);");
    await insert(1, 1000);
    first = await world.backUp();
  });
  after(() => world.remove());

  const insert = (from: number, to: number): Promise<string> =>
    world.sql(
      "mlops",
      `INSERT INTO log SELECT i, 'row ' || i FROM generate_series(${from}, ${to}) i;`,
    );
  const count = async (): Promise<number> =>
    Number(await world.sql("mlops", "SELECT count(*) FROM log"));
  const list = async (): Promise<Listed> => (await world.agent("list")).result as unknown as Listed;
  const restore = (id: string, ...more: readonly string[]): Promise<AgentRun> =>
    world.restore(["restore", "--id", id, ...more]);
  /** Restores that the volumes know of. */
  const waiting = (): Promise<string> => world.shell("ls -d /v/*/.restore/* 2>/dev/null || true");
  const expectFirst = async (id: string): Promise<void> => {
    const restored = await restore(id, "--set", first.set);
    assert.equal(restored.exitCode, 0, restored.stderr);
    assert.deepEqual(restored.result["databases"], first.postgres?.databases);
  };

  void it("makes a set while Redis is down, which says so, and is not the latest", async () => {
    assert.equal((await list()).latest, first.set);
    await world.stop("redis");
    const { exitCode, events, stderr } = await world.agent("backup");
    await world.startRedis();
    assert.equal(exitCode, 1);
    assert.match(stderr, /is not what it should be: redis: does not answer/);
    const { complete, verified, set } = events.at(-1)?.["manifest"] as Manifest;
    assert.deepEqual({ complete, verified }, { complete: false, verified: true });
    const { sets, latest } = await list();
    assert.deepEqual(
      sets.map((listed) => listed.set),
      [first.set, set],
    );
    assert.equal(latest, first.set);
  });

  void it("refuses a set of another stack by that stack's name, and never calls it the latest", async () => {
    const set = "20990101T000000Z";
    const foreign = sealManifest({ ...first, set, stack: "staging", sequence: 1000 });
    await writeSet(world, foreign);
    const refused = await restore("foreign", "--set", set);
    assert.equal(refused.exitCode, 1);
    assert.match(
      refused.stderr,
      /20990101T000000Z is of stack "staging", not of "prod"; nothing was changed/,
    );
    const made = await world.backUp();
    assert.equal((await list()).latest, made.set);
    await world.shell(`rm -r /v/repository/sets/${set}`);
  });

  for (const tool of ["pgbackrest", "restic"] as const)
    void it(`says that the key does not open what ${tool} keeps, and what to do`, async () => {
      const keys = await world.keys("prod", { [tool]: "another-key" });
      const args = ["restore", "--id", "key", "--set", first.set];
      const { exitCode, stderr } = await world.restore(args, { "/run/backup:ro": keys });
      assert.equal(exitCode, 1);
      assert.match(
        stderr,
        /The key in \/run\/backup\/backup_key does not open the repository.*nothing was changed/i,
      );
      assert.match(stderr, /Put back the key that it was made with/);
      assert.equal(await waiting(), "");
    });

  void it("refuses to restore onto a disk that is too small, before it writes", async () => {
    const small = await world.volume("small", 64);
    const args = ["restore", "--id", "full", "--set", first.set];
    const { exitCode, stderr } = await world.restore(args, { "/target/redis": small });
    assert.equal(exitCode, 1);
    assert.match(
      stderr,
      /Only 0\.1 GiB are free on the disk that holds \/target\/redis.*Nothing was changed/,
    );
    assert.equal(await waiting(), "");
  });

  for (const [bytes, when] of [
    [3 * 2 ** 20, "that becomes full meanwhile"],
    [0, "that is full"],
  ] as const)
    void it(`makes no good set on a disk ${when}, says so, and leaves nothing of it there`, async () => {
      const before = await list();
      await fillRepository(world, bytes);
      const { exitCode, stderr } = await world.agent("backup");
      const during = await list();
      await emptyRepository(world);
      assert.equal(exitCode, 1);
      assert.match(stderr, /no space left on device.*Earlier sets are as they were\./i);
      assert.equal(during.latest, before.latest);
      const isGood = ({ complete, verified }: Manifest): boolean => complete || verified;
      assert.deepEqual(during.sets.filter(isGood), before.sets.filter(isGood));
      assert.equal(during.lastBackup.succeeded, false);
      assert.match(during.lastBackup.problem ?? "", /no space left on device/i);
      const made = await world.backUp();
      const { sets, latest, broken } = await list();
      assert.equal(latest, made.set);
      assert.deepEqual(broken, []);
      const copies = sets
        .filter(({ postgres }) => postgres !== null)
        .map(({ postgres }) => postgres?.label);
      assert.equal(
        await world.shell("ls /v/repository/pgbackrest/backup/prod | grep '^2.*F'"),
        copies.join("\n"),
      );
      const partial = "-name '*tmp*' -o -name '*.partial' -o -name '*.pgbackrest.tmp'";
      assert.equal(await world.shell(`find /v/repository ${partial}`), "");
    });

  void it("survives a restore that is killed: nothing live is touched, and nothing is left of it", async () => {
    const live = (): Promise<string> => world.digest(["redis", "mlflow", "app-data"]);
    const before = await live();
    const args = ["restore", "--id", "killed", "--set", first.set];
    await world.killRestore(args, "/target/postgres/.restore/killed/new/pgdata");
    assert.match(await waiting(), /killed/);
    assert.equal(await live(), before);
    assert.equal(await count(), 1000);
    await expectFirst("next");
    assert.doesNotMatch(await waiting(), /killed/);
  });

  void it("finishes a switch that was killed, forth and back", async () => {
    const swap = (...more: string[]): Promise<AgentRun> =>
      world.restore(["swap", "--id", "next", ...more]);
    const succeed = async (run: Promise<AgentRun>): Promise<void> => {
      const { exitCode, stderr } = await run;
      assert.equal(exitCode, 0, stderr);
    };
    await world.stop();
    const before = await world.digest();
    await world.killAtRename(["swap", "--id", "next"], 4);
    await succeed(swap("--back"));
    assert.equal(await world.digest(), before);
    await world.killAtRename(["swap", "--id", "next"], 7);
    await succeed(swap());
    const restored = await world.digest();
    assert.notEqual(restored, before);
    await world.killAtRename(["swap", "--id", "next", "--back"], 6);
    await succeed(swap());
    assert.equal(await world.digest(), restored);
    await world.killAtRename(["swap", "--id", "next", "--back"], 9);
    await succeed(swap("--back"));
    assert.equal(await world.digest(), before);
    await Promise.all([world.startPostgres(), world.startRedis()]);
    assert.equal(await count(), 1000);
  });

  void it("refuses what lies behind a gap in the log, and names the gap", async () => {
    await insert(1001, 1100);
    const missing = await world.switchLog();
    await insert(1101, 1200);
    const at = new Date(await world.sql("postgres", "SELECT clock_timestamp()")).toISOString();
    await insert(1201, 1300);
    await world.switchLog();
    await world.shell(`rm /v/repository/pgbackrest/archive/prod/*/*/${missing}-*`);
    const end = await restore("end");
    assert.equal(end.exitCode, 1);
    assert.match(
      end.stderr,
      /has a gap: .*recovery came no further than .*What is live was not touched/,
    );
    const moment = await restore("moment", "--at", at);
    assert.equal(moment.exitCode, 1);
    assert.match(
      moment.stderr,
      new RegExp(`has a gap: the segment after \\w+ is missing.*Choose a set after the gap`),
    );
  });

  void it("finds a backup of the databases that was cut short", async () => {
    const { set } = await world.backUp();
    await truncateNewestBackup(world);
    const { exitCode, stderr } = await world.agent("verify");
    assert.equal(exitCode, 1);
    assert.match(stderr, new RegExp(`The set ${set} is damaged`));
    const { latest } = await list();
    assert.ok(latest !== null && latest < set);
    const restored = await restore("cut", "--set", set, "--unverified");
    assert.equal(restored.exitCode, 1);
    assert.match(restored.stderr, /live was not touched/);
  });

  void it("finds files of the repository that were cut short, and saves anew what there still is", async () => {
    await addArtifact(world, "large.bin", 2);
    const whole = await world.backUp();
    await addArtifact(world, "gone.bin", 2);
    const other = await world.backUp();
    const { set } = await world.backUp();
    await truncatePacks(world);
    const { exitCode, stderr } = await world.agent("verify");
    assert.equal(exitCode, 1);
    assert.match(stderr, new RegExp(`The set ${set} is damaged`));
    const drill = await world.agent("drill", "--set", set, "--unverified");
    assert.equal(drill.exitCode, 1);
    assert.match(drill.stderr, /cannot be restored: restic ended with exit code 1/);
    await removeArtifact(world, "gone.bin");
    const next = await world.backUp();
    const { sets, latest } = await list();
    assert.equal(latest, next.set);
    const isVerified = (name: string): boolean | undefined =>
      sets.find((listed) => listed.set === name)?.verified;
    assert.equal(isVerified(other.set), false, "what it needs is not there any more");
    assert.equal(isVerified(whole.set), true);
    const verified = await world.agent("verify", whole.set);
    assert.equal(verified.exitCode, 0, verified.stderr);
  });

  void it("reads the list of sets back from the repository when all else is lost", async () => {
    const names = async (): Promise<string[]> => (await list()).sets.map(({ set }) => set);
    const before = await list();
    await world.shell("rm -r /v/repository/sets");
    assert.deepEqual(
      await names(),
      before.sets.map(({ set }) => set),
    );
    assert.equal((await list()).latest, before.latest);
    await world.shell("rm -r /v/repository/sets");
    const { set } = await world.backUp();
    assert.deepEqual(await names(), [...before.sets.map((known) => known.set), set]);
  });

  void it("restores the set from before the gap and all damage", () => expectFirst("first"));
});

/** What the agent's `list` answers, as far as it is looked at here. */
interface Listed {
  readonly sets: readonly Manifest[];
  readonly broken: readonly unknown[];
  readonly latest: string | null;
  readonly lastBackup: Run;
}
