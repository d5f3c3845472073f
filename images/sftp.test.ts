import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import type { Manifest } from "../backup/manifest";
import { BackedUp } from "./testing/backed-up";

void describe("backups on another host, by sftp", () => {
  let world: BackedUp;
  let set: Manifest;

  before(async () => {
    world = await BackedUp.create("prod", { hasMlflow: true, isAtSftp: true });
    await world.keepSets();
    await world.sql("postgres", "CREATE DATABASE mlops;\nCREATE DATABASE mlflow;");
    await world.sql(
      "mlops",
      "CREATE TABLE log AS SELECT i AS id, 'row ' || i AS text FROM generate_series(1, 1000) i;",
    );
    set = await world.backUp();
  });
  after(() => world.remove());

  void it("are made there, and nothing but their list is here", async () => {
    assert.deepEqual(set.problems, []);
    assert.equal((await world.agent("list")).result["latest"], set.set);
    assert.equal(
      await world.shell(
        "find /v/repository/pgbackrest /v/repository/restic -type f 2>/dev/null | wc -l",
      ),
      "0",
    );
  });

  void it("are restored from that host alone, up to the last change", async () => {
    await world.sql(
      "mlops",
      "INSERT INTO log SELECT i, 'later' FROM generate_series(1001, 1100) i;",
    );
    await world.switchLog();
    const index = await world.volume("index");
    const { exitCode, result, stderr } = await world.restore(["restore", "--id", "end"], {
      "/backup": index,
    });
    assert.equal(exitCode, 0, stderr);
    assert.equal(result["set"], set.set);
    const databases = result["databases"] as NonNullable<Manifest["postgres"]>["databases"];
    assert.equal(databases["mlops"]?.rows["public.log"], 1100);
  });

  void it("are still there after the first backup with a new list", async () => {
    await world.shell("rm -r /v/repository/sets");
    const { set: next } = await world.backUp();
    const { sets, latest } = (await world.agent("list")).result as unknown as {
      readonly sets: readonly Manifest[];
      readonly latest: string;
    };
    assert.deepEqual(
      sets.map((listed) => listed.set),
      [set.set, next],
    );
    assert.equal(latest, next);
    const { exitCode, stderr } = await world.agent("verify", set.set);
    assert.equal(exitCode, 0, stderr);
  });
});
