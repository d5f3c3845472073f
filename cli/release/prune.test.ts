import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { describe, it, type TestContext } from "node:test";
import type Docker from "dockerode";
import { dockerClient } from "../docker";
import { inspectImage } from "../images";
import { makeImage, nameImage, removeImages } from "../testing/images";
import { heldReleases, holdRelease, holdRepository } from "./hold";
import type { ReleaseImage } from "./image";
import { neededImages, pruneReleases, type PruneReport } from "./prune";

const OURS = { "mlops.content": "0123456789ab" };

/** A stack's releases on the real Docker host, with images of a few bytes. */
class World {
  readonly id = randomBytes(4).toString("hex");
  readonly stack = `test-${this.id}`;
  /** Newest first, as the ledger is. */
  readonly ledger: ReleaseImage[] = [];
  private readonly images = new Set<string>();

  private constructor(
    readonly docker: Docker,
    private readonly test: TestContext,
  ) {}

  static async create(test: TestContext): Promise<World> {
    const world = new World(await dockerClient(), test);
    test.after(() => removeImages(world.docker, world.images));
    return world;
  }

  /** Name of a release's image; no two tests share one. */
  name(tag: string): string {
    return `registry.example.com/${this.id}/mlops-app:${tag}`;
  }

  async image(labels: Readonly<Record<string, string>>, ...names: string[]): Promise<string> {
    const image = await makeImage(this.docker, labels, ...names);
    this.images.add(image);
    return image;
  }

  /** Deploys a release, which passes its gate and is held. */
  async good(tag: string, image?: string): Promise<string> {
    const id = image ?? (await this.image(OURS, this.name(tag)));
    this.ledger.unshift({ tag, image: id, passed: true });
    await holdRelease(this.docker, this.stack, tag, id);
    return id;
  }

  /** Deploys a release that does not pass. */
  async bad(tag: string): Promise<string> {
    const image = await this.image(OURS, this.name(tag));
    this.ledger.unshift({ tag, image, passed: false });
    return image;
  }

  /** A container that was made of an image and does not run. */
  async container(image: string): Promise<Docker.Container> {
    const container = await this.docker.createContainer({ Image: image, Cmd: ["none"] });
    this.test.after(() => container.remove({ force: true }).catch(() => undefined));
    return container;
  }

  prune(keep = 2, stack = this.stack, ledger = this.ledger): Promise<PruneReport> {
    return pruneReleases(this.docker, stack, ledger, keep);
  }

  /** Which of these images are on the host. */
  async left(...images: readonly string[]): Promise<boolean[]> {
    const found = await Promise.all(images.map((image) => inspectImage(this.docker, image)));
    return found.map((image) => image !== undefined);
  }

  async names(image: string): Promise<string[]> {
    return ((await inspectImage(this.docker, image))?.RepoTags ?? []).sort();
  }
}

void describe("pruneReleases", () => {
  void it("keeps the newest that passed, with all their names, and removes the others", async (test) => {
    const world = await World.create(test);
    const images = [];
    for (const tag of ["v1", "v2", "v3", "v4"]) images.push(await world.good(tag));
    const report = await world.prune(2);
    assert.deepEqual(await world.left(...images), [false, false, true, true]);
    assert.deepEqual(await world.names(images[3] ?? ""), [
      `mlops-release/${world.stack}:v4`,
      world.name("v4"),
    ]);
    assert.deepEqual(report.notes, []);
    assert.deepEqual([...report.deletedImages].sort(), images.slice(0, 2).sort());
    assert.deepEqual(report.removed.map(({ reference }) => reference).sort(), [
      `mlops-release/${world.stack}:v1`,
      `mlops-release/${world.stack}:v2`,
      world.name("v1"),
      world.name("v2"),
    ]);
  });

  void it("has nothing to do a second time", async (test) => {
    const world = await World.create(test);
    for (const tag of ["v1", "v2", "v3"]) await world.good(tag);
    await world.prune(2);
    assert.deepEqual(await world.prune(2), { removed: [], deletedImages: [], notes: [] });
  });

  void it("counts a release that was deployed again once, and as new", async (test) => {
    const world = await World.create(test);
    const [v1, v2, v3] = [await world.good("v1"), await world.good("v2"), await world.good("v3")];
    await world.good("v1", v1);
    await world.good("v3", v3);
    await world.good("v1", v1);
    await world.prune(2);
    assert.deepEqual(await world.left(v1, v2, v3), [true, false, true]);
  });

  void it("keeps the newest attempt that failed, and none before it", async (test) => {
    const world = await World.create(test);
    const v1 = await world.good("v1");
    const [old, failed] = [await world.bad("v2"), await world.bad("v3")];
    await world.prune(2);
    assert.deepEqual(await world.left(v1, old, failed), [true, false, true]);
  });

  void it("does not count failed attempts among those to keep", async (test) => {
    const world = await World.create(test);
    const [v1, v2] = [await world.good("v1"), await world.good("v2")];
    for (const tag of ["v3", "v4", "v5"]) await world.bad(tag);
    await world.prune(2);
    assert.deepEqual(await world.left(v1, v2), [true, true]);
  });

  void it("keeps everything as long as nothing has passed", async (test) => {
    const world = await World.create(test);
    const [v1, v2] = [await world.bad("v1"), await world.bad("v2")];
    const { removed, notes } = await world.prune(2);
    assert.deepEqual(removed, []);
    assert.match(notes.join(), /No release of test-\w+ has passed/);
    assert.deepEqual(await world.left(v1, v2), [true, true]);
  });

  void it("keeps what it holds where the ledger is elsewhere", async (test) => {
    const world = await World.create(test);
    const v1 = await world.good("v1");
    await world.prune(2, world.stack, []);
    assert.deepEqual(await world.left(v1), [true]);
    assert.equal((await heldReleases(world.docker, world.stack)).length, 1);
  });

  void it("keeps what a container is made of, running or not, until it is gone", async (test) => {
    const world = await World.create(test);
    const v1 = await world.good("v1");
    const container = await world.container(v1);
    for (const tag of ["v2", "v3"]) await world.good(tag);
    await world.prune(2);
    assert.deepEqual(await world.names(v1), [`mlops-release/${world.stack}:v1`, world.name("v1")]);
    await container.remove();
    await world.prune(2);
    assert.deepEqual(await world.left(v1), [false]);
  });

  void it("leaves what another stack holds, with the name that it is run by", async (test) => {
    const world = await World.create(test);
    const v1 = await world.good("v1");
    const other = `${world.stack}-prod`;
    await holdRelease(world.docker, other, "v1", v1);
    for (const tag of ["v2", "v3"]) await world.good(tag);
    await world.prune(2);
    assert.deepEqual(await world.names(v1), [`mlops-release/${other}:v1`, world.name("v1")]);
    const [v8, v9] = [await world.good("v8"), await world.good("v9")];
    const ledger = [v9, v8, v1].map((image, index) => ({ tag: `x${index}`, image, passed: true }));
    await world.prune(2, other, ledger);
    assert.deepEqual(await world.left(v1), [false], "nobody holds it any more");
  });

  void it("keeps an image that another tag of this stack needs", async (test) => {
    const world = await World.create(test);
    const image = await world.good("v1");
    await world.good("v2");
    await nameImage(world.docker, image, world.name("v3"));
    await world.good("v3", image);
    await world.prune(2);
    assert.deepEqual(await world.left(image), [true]);
    assert.ok((await world.names(image)).includes(world.name("v1")));
  });

  void it("leaves alone what was built and never deployed", async (test) => {
    const world = await World.create(test);
    const built = await world.image(OURS, world.name("v0"));
    for (const tag of ["v1", "v2", "v3"]) await world.good(tag);
    await world.prune(2);
    assert.deepEqual(await world.names(built), [world.name("v0")]);
  });

  void it("lets go of what was held for a deployment that never began, and leaves its name", async (test) => {
    const world = await World.create(test);
    const built = await world.image(OURS, world.name("v0"));
    await holdRelease(world.docker, world.stack, "v0", built);
    await world.good("v1");
    await world.prune(2);
    assert.deepEqual(await world.names(built), [world.name("v0")]);
  });

  void it("leaves names that a person gave, and images that are not this project's", async (test) => {
    const world = await World.create(test);
    const named = await world.good("v1");
    const own = `registry.example.com/${world.id}/of-a-person:keep`;
    await nameImage(world.docker, named, own);
    const foreign = await world.image({}, world.name("v2"));
    await world.good("v2", foreign);
    for (const tag of ["v3", "v4"]) await world.good(tag);
    const { deletedImages } = await world.prune(2);
    assert.deepEqual(await world.names(named), [own]);
    assert.deepEqual(await world.names(foreign), [world.name("v2")]);
    assert.deepEqual(deletedImages, []);
  });

  void it("goes on where a run was killed: after the hold, and where no name is left", async (test) => {
    const world = await World.create(test);
    const [v1, v2] = [await world.good("v1"), await world.good("v2")];
    for (const tag of ["v3", "v4"]) await world.good(tag);
    await world.docker.getImage(`${holdRepository(world.stack)}:v1`).remove();
    await world.docker.getImage(`${holdRepository(world.stack)}:v2`).remove();
    // Its last name was given to another image.
    await nameImage(world.docker, await world.image({}), world.name("v2"));
    assert.deepEqual(await world.left(v1, v2), [true, true]);
    await world.prune(2);
    assert.deepEqual(await world.left(v1, v2), [false, false]);
  });

  void it("removes old leftovers of builds without a name, and no young ones", async (test) => {
    const world = await World.create(test);
    const [leftover, foreign] = [await world.image(OURS), await world.image({})];
    await world.good("v1");
    await world.prune(2);
    assert.deepEqual(await world.left(leftover, foreign), [true, true]);
    // Only to see what it would do: what others left on this host is not this test's to remove.
    const { removed } = await pruneReleases(world.docker, world.stack, world.ledger, 2, {
      now: new Date(Date.now() + 2 * 3_600_000),
      dryRun: true,
    });
    const ids = removed.map(({ reference }) => reference);
    assert.ok(ids.includes(leftover));
    assert.ok(!ids.includes(foreign));
  });

  void it("only says what it would do when asked to", async (test) => {
    const world = await World.create(test);
    const v1 = await world.good("v1");
    for (const tag of ["v2", "v3"]) await world.good(tag);
    const names = await world.names(v1);
    const planned = await pruneReleases(world.docker, world.stack, world.ledger, 2, {
      dryRun: true,
    });
    assert.deepEqual(await world.names(v1), names);
    assert.deepEqual(planned.deletedImages, [v1]);
    assert.deepEqual(await world.prune(2), planned);
  });

  void it("is not disturbed by two runs at once", async (test) => {
    const world = await World.create(test);
    const images = [];
    for (const tag of ["v1", "v2", "v3", "v4", "v5"]) images.push(await world.good(tag));
    await Promise.all([world.prune(2), world.prune(2), world.prune(2)]);
    assert.deepEqual(await world.left(...images), [false, false, false, true, true]);
  });
});

void describe("neededImages", () => {
  void it("has what a rollback would take, past releases that were left by going back", () => {
    const tags = ["v1", "v2", "v3", "v2"];
    const ledger = tags.map((tag) => ({ tag, image: `image-${tag}`, passed: true })).reverse();
    assert.deepEqual([...neededImages(ledger, 2)].sort(), ["image-v1", "image-v2", "image-v3"]);
  });

  void it("is all there is where that is little", () => {
    const ledger = [
      { tag: "v2", image: "b", passed: false },
      { tag: "v1", image: "a", passed: true },
    ];
    assert.deepEqual([...neededImages(ledger, 5)].sort(), ["a", "b"]);
    assert.deepEqual([...neededImages([], 5)], []);
  });
});

void describe("holdRelease", () => {
  void it("holds twice as well as once", async (test) => {
    const world = await World.create(test);
    const image = await world.good("v1");
    await holdRelease(world.docker, world.stack, "v1", image);
    assert.deepEqual(await heldReleases(world.docker, world.stack), [
      { tag: "v1", image, reference: `mlops-release/${world.stack}:v1` },
    ]);
  });

  void it("works for stacks whose names Docker does not allow, and keeps them apart", async (test) => {
    const world = await World.create(test);
    const image = await world.image(OURS);
    const [upper, trailing] = [`Test-${world.id}`, `test-${world.id}-`];
    await holdRelease(world.docker, upper, "v1", image);
    assert.equal((await heldReleases(world.docker, upper)).length, 1);
    assert.equal((await heldReleases(world.docker, trailing)).length, 0);
    assert.notEqual(holdRepository(upper), holdRepository(trailing));
  });
});
