import assert from "node:assert/strict";
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, it } from "node:test";
import { Place, waitingIn } from "./place";
import { swap, type Direction } from "./swap";

const ID = "20261124T010203Z";
const OLD = { kept: "old", only_old: "old" };
const NEW = { kept: "new", only_new: "new" };

/** What happens to a process at a rename. */
class Killed extends Error {}

/** A reporter that ends the work before its n-th rename; `count` renames happened before. */
function killAt(limit: number): { count: number; report: () => void } {
  const counter = {
    count: 0,
    report: () => {
      if (counter.count === limit) throw new Killed();
      counter.count += 1;
    },
  };
  return counter;
}

void describe("the switch between what was restored and what was before", () => {
  let folder: string;
  let places: Place[];

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), "mlops-swap-"));
    places = await Promise.all(
      ["postgres", "redis"].map(async (volume) => {
        const place = new Place(volume, join(folder, volume), ID);
        await mkdir(join(place.root, "lost+found"), { recursive: true });
        await fill(place.root, OLD);
        await place.create();
        await fill(place.new, NEW);
        await place.setPhase("ready");
        return place;
      }),
    );
  });
  afterEach(() => rm(folder, { recursive: true }));

  const quietly = (direction: Direction): Promise<void> => swap(places, direction, () => undefined);
  const expectAll = async (live: object, other: object, at: "old" | "new"): Promise<void> => {
    for (const place of places) {
      assert.deepEqual(await content(place.root), live);
      assert.deepEqual(await content(place[at]), other);
      assert.deepEqual(await content(at === "old" ? place.new : place.old), {});
      assert.ok((await readdir(place.root)).includes("lost+found"));
    }
  };

  void it("moves all of it, and back, and there again", async () => {
    await quietly("restored");
    await expectAll(NEW, OLD, "old");
    await quietly("before");
    await expectAll(OLD, NEW, "new");
    await quietly("restored");
    await expectAll(NEW, OLD, "old");
  });

  void it("changes nothing when it is done", async () => {
    await quietly("restored");
    const counter = killAt(0);
    await swap(places, "restored", counter.report);
    await expectAll(NEW, OLD, "old");
  });

  // Every moment of a kill, by what was wanted at first and what is wanted then.
  for (const first of ["restored", "before"] as const)
    for (const then of ["restored", "before"] as const)
      void it(`killed anywhere on the way to ${first}, reaches ${then}`, async () => {
        for (let limit = 0; ; limit += 1) {
          await quietly(first === "restored" ? "before" : "restored").catch(() => undefined);
          const counter = killAt(limit);
          const killed = await swap(places, first, counter.report).then(
            () => false,
            (error: unknown) => {
              assert.ok(error instanceof Killed);
              return true;
            },
          );
          if (!killed) {
            // Two volumes of two entries each, once out and once in.
            assert.equal(limit, 8);
            return;
          }
          const untouched = (await Promise.all(places.map((place) => place.phase()))).every(
            (phase) => phase === "ready",
          );
          if (then === "before" && untouched)
            await assert.rejects(quietly(then), /nothing to undo/);
          else await quietly(then);
          if (then === "restored") await expectAll(NEW, OLD, "old");
          else await expectAll(OLD, NEW, "new");
        }
      });

  void it("moves nothing when the restore is not whole in one volume", async () => {
    await places[1]?.setPhase("restoring");
    await assert.rejects(quietly("restored"), /not whole.*in the volume redis.*Nothing was moved/);
    assert.deepEqual(await content(places[0]?.root ?? ""), OLD);
  });

  void it("leaves a volume alone that was not in the set", async () => {
    await places[1]?.remove();
    await quietly("restored");
    assert.deepEqual(await content(places[0]?.root ?? ""), NEW);
    assert.deepEqual(await content(places[1]?.root ?? ""), OLD);
    await places[0]?.remove();
    await assert.rejects(quietly("restored"), /no restore 20261124T010203Z; nothing was moved/);
  });

  void it("undoes nothing that was not switched to", async () => {
    await assert.rejects(quietly("before"), /nothing to undo/);
    await expectAll(OLD, NEW, "new");
  });

  void it("forgets what it removes", async () => {
    await quietly("restored");
    const [place] = places;
    assert.ok(place);
    assert.deepEqual(await waitingIn(place.root), [ID]);
    await place.remove();
    assert.deepEqual(await waitingIn(place.root), []);
    assert.equal(await place.phase(), undefined);
    assert.deepEqual(await content(place.root), NEW);
  });
});

/** Folders, as data is, one file in each. */
async function fill(folder: string, entries: Readonly<Record<string, string>>): Promise<void> {
  for (const [name, text] of Object.entries(entries)) {
    await mkdir(join(folder, name), { recursive: true });
    await writeFile(join(folder, name, "file"), text);
  }
}

async function content(folder: string): Promise<Record<string, string>> {
  const found: Record<string, string> = {};
  for (const name of await readdir(folder))
    if (name !== ".restore" && name !== "lost+found")
      found[name] = await readFile(join(folder, name, "file"), "utf8");
  return found;
}
