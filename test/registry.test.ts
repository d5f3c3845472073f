import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { appendFileSync, existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, afterEach, before, beforeEach, describe, it, type TestContext } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { CommandError } from "../cli/errors";
import { inspectImage } from "../cli/images";
import { ensureSameImage } from "../cli/release/image";
import { publish } from "../cli/release/push";
import { registrySize } from "../cli/release/registry";
import { BASE_IMAGE } from "../cli/setup/base-image";
import { testBed } from "../cli/testing/context";
import { makeImage, removeImages } from "../cli/testing/images";
import { testTools } from "../cli/testing/tools";
import { pullCommand } from "../components/image-build";
import { Registry } from "./registry";
import { docker, runProgram, Sandbox, type Ended } from "./sandbox";

interface Built {
  readonly reference: string;
  readonly id: string;
  readonly source: "built" | "host" | "registry";
  readonly digest?: string;
  readonly pushed?: boolean;
}

const DIGEST = /sha256:[0-9a-f]{64}/;

void describe("./mlops build with a registry that wants a login", () => {
  let registry: Registry;
  let sandbox: Sandbox;
  let reference: string;
  let tag: string;
  let count = 0;
  before(async () => {
    registry = await Registry.create();
    sandbox = await Sandbox.create("dev");
  });
  after(async () => {
    await sandbox.remove();
    await registry.remove();
  });
  beforeEach(() => {
    count += 1;
    tag = `v1.${count}.0`;
    reference = `${registry.path}/mlops-app:${tag}`;
    registry.logout();
    appContains("one");
  });
  afterEach(() => runProgram("docker", ["image", "rm", reference]));

  /** What is in app/ decides nothing here: the smallest image that there can be. */
  function appContains(text: string): void {
    writeFileSync(join(sandbox.root, "app", "Dockerfile"), "FROM scratch\nCOPY content /\n");
    writeFileSync(join(sandbox.root, "app", ".dockerignore"), "*\n!content\n!Dockerfile\n");
    writeFileSync(join(sandbox.root, "app", "content"), `${text}\n`);
  }
  const build = (...options: readonly string[]): Promise<Ended> =>
    sandbox.run(["build", tag, ...options], registry.env);
  const succeed = async (...options: readonly string[]): Promise<Built> => {
    const ended = await build("--json", ...options);
    assert.equal(ended.exitCode, 0, ended.output);
    return JSON.parse(ended.stdout) as Built;
  };
  const refused = async (cause: RegExp, fix: RegExp): Promise<string> => {
    const { exitCode, output } = await build();
    assert.notEqual(exitCode, 0, output);
    assert.match(output, cause);
    assert.match(output, fix);
    assert.doesNotMatch(output, /^\s+at .*:\d+:\d+\)?$/m);
    return output;
  };
  /** Image under the reference on this host. */
  const onHost = async (): Promise<string[]> =>
    docker("images", "--no-trunc", "--format={{.ID}}", reference);
  const removeFromHost = async (): Promise<void> => {
    await docker("image", "rm", reference);
    assert.deepEqual(await onHost(), []);
  };

  const onHostAfterPull = async (digest: string): Promise<string[]> => {
    const pulled = await runProgram("docker", ["pull", "--quiet", digest], {
      env: { ...process.env, ...registry.env },
    });
    assert.equal(pulled.exitCode, 0, pulled.output);
    return docker("image", "inspect", "--format={{.Id}}", digest);
  };

  void it("pushes what it built, and prints its digest", async () => {
    await registry.login();
    const { exitCode, output, stdout } = await build();
    assert.equal(exitCode, 0, output);
    assert.match(output, /Pushing /);
    const [, digest = ""] =
      new RegExp(`^(${registry.path}/mlops-app@\\S+)$`, "m").exec(stdout) ?? [];
    assert.match(digest, DIGEST);
    await removeFromHost();
    const [image] = await onHostAfterPull(digest);
    const [labels = ""] = await docker(
      "image",
      "inspect",
      "--format={{json .Config.Labels}}",
      image ?? "",
    );
    const found = JSON.parse(labels) as Record<string, string>;
    assert.equal(found["org.opencontainers.image.version"], tag);
    assert.match(found["mlops.content"] ?? "", /^[0-9a-f]{12}$/);
    assert.ok(Date.parse(found["org.opencontainers.image.created"] ?? "") > 0);
  });
  void it("asks for a login, and goes on from there", async () => {
    await refused(/wants a login/, new RegExp(`docker login ${registry.host}`));
    assert.deepEqual(await onHost(), [], "nothing is built that could not be pushed");
    await registry.login();
    assert.equal((await succeed()).pushed, true);
  });

  void it("says that a login is not accepted", async () => {
    registry.keepOldLogin();
    await refused(
      /does not accept the login .*unauthorized/,
      new RegExp(`docker login ${registry.host}`),
    );
    assert.deepEqual(await onHost(), []);
  });

  void it("leaves the registry alone when told to", async () => {
    const built = await succeed("--no-push");
    assert.equal(built.source, "built");
    assert.equal(built.digest, undefined);
    await registry.login();
    const pushed = await succeed();
    assert.deepEqual(
      { ...pushed, digest: "" },
      { ...built, digest: "", source: "host", pushed: true },
    );
  });

  void it("says that the same content is there already: on the host, and in the registry", async () => {
    await registry.login();
    const first = await succeed();
    const again = await build();
    assert.equal(again.exitCode, 0, again.output);
    assert.match(again.output, /on this host already, of the same content/);
    assert.match(again.output, /registry has it already; nothing was pushed/);
    await removeFromHost();
    assert.deepEqual(await succeed(), { ...first, source: "registry", pushed: false });
  });

  void it("refuses other content under a tag that the registry has, and leaves nothing", async () => {
    await registry.login();
    const { digest = "" } = await succeed();
    await removeFromHost();
    appContains("two");
    const output = await refused(/exists with other content/, /choose a new tag/);
    assert.ok(output.includes(digest), output);
    assert.deepEqual(await onHost(), []);
    assert.deepEqual(await docker("images", "--quiet", digest), []);
    appContains("one");
    assert.equal((await succeed()).digest, digest, "the registry still has the first");
  });

  void it("refuses to push another image under a tag that the registry has", async () => {
    await registry.login();
    const first = await succeed();
    await removeFromHost();
    appContains("two");
    const second = await succeed("--no-push");
    const output = await refused(/another image/, /choose a new tag/);
    for (const digest of [first.digest ?? "", first.id, second.id])
      assert.ok(output.includes(digest), `${digest} is not in:\n${output}`);
    assert.deepEqual(await onHost(), [second.id], "the host keeps its own");
    assert.deepEqual(await docker("images", "--quiet", first.digest ?? ""), []);
  });

  void it("says that the registry is down, builds without it, and pushes later", async () => {
    await registry.login();
    await registry.stop();
    try {
      await refused(/cannot be reached .*connection refused/, /Check REGISTRY/);
      assert.deepEqual(await onHost(), []);
      await succeed("--no-push");
    } finally {
      await registry.start();
    }
    assert.equal((await succeed()).pushed, true);
  });

  void it("is done again after a build was killed", async () => {
    await registry.login();
    // Another layer in every run: one that is in the build cache would not be slow.
    const layer = `RUN sleep 5 && echo ${sandbox.stack} >/content`;
    const dockerfile = ["FROM debian:trixie-slim", layer, ""];
    writeFileSync(join(sandbox.root, "app", "Dockerfile"), dockerfile.join("\n"));
    const child = spawn(join(sandbox.root, "mlops"), ["build", tag], {
      cwd: sandbox.root,
      env: { ...process.env, ...registry.env },
      stdio: "ignore",
      detached: true,
    });
    const ended = once(child, "exit");
    const log = join(sandbox.root, ".mlops", "logs", "build.log");
    // The step itself, not its mention in the command: BuildKit runs it.
    while (!/\[\d\/\d\] RUN sleep/.test(existsSync(log) ? readFileSync(log, "utf8") : ""))
      await delay(50);
    // The whole group, as a lost connection to the terminal does it.
    assert.ok(child.pid !== undefined);
    process.kill(-child.pid, "SIGKILL");
    await ended;
    assert.deepEqual(await onHost(), []);
    assert.equal((await succeed()).pushed, true);
  });
});

void describe("an image that is only in the registry", () => {
  let registry: Registry;
  before(async () => {
    registry = await Registry.create();
    await registry.login();
  });
  after(() => registry.remove());

  /** An image that is only in the registry, and what is needed to ask for it. */
  async function pushed(test: TestContext, tag: string) {
    const { context } = await testBed(test, { ...process.env, ...registry.env });
    const tools = await testTools(context);
    const reference = `${registry.path}/mlops-app:${tag}`;
    const image = await makeImage(tools.docker, {}, reference);
    test.after(() => removeImages(tools.docker, [image]));
    await publish(context, tools, reference, RETRY);
    await docker("image", "rm", reference);
    assert.equal(await inspectImage(tools.docker, image), undefined);
    return { context, tools, reference, image };
  }
  const RETRY = "./mlops promote --from staging --to prod";

  void it("pulls the image that was asked for, under its name", async (test) => {
    const { context, tools, reference, image } = await pushed(test, "v1");
    await ensureSameImage(context, tools, reference, image, RETRY);
    assert.equal((await inspectImage(tools.docker, reference))?.Id, image);
  });

  void it("refuses another image under that name, and leaves nothing of it", async (test) => {
    const { context, tools, reference, image } = await pushed(test, "v2");
    const expected = `sha256:${"0".repeat(64)}`;
    await assert.rejects(ensureSameImage(context, tools, reference, expected, RETRY), (error) => {
      assert.ok(error instanceof CommandError);
      for (const part of [expected, image]) assert.ok(error.problem.includes(part), error.problem);
      assert.match(error.problem, DIGEST);
      return true;
    });
    assert.equal(await inspectImage(tools.docker, image), undefined);
  });

  void it("says that the registry does not have it either", async (test) => {
    const { context, tools, image } = await pushed(test, "v3");
    const reference = `${registry.path}/mlops-app:v4`;
    await assert.rejects(
      ensureSameImage(context, tools, reference, image, RETRY),
      /neither on this host nor in the registry/,
    );
  });

  void it("is pulled with the user's login by a plain pulumi up as well", async (test) => {
    const { tools, reference, image } = await pushed(test, "v6");
    const pull = (): Promise<Ended> =>
      runProgram("sh", ["-c", pullCommand(reference)], {
        env: { ...process.env, ...registry.env },
      });
    const { exitCode, output } = await pull();
    assert.equal(exitCode, 0, output);
    assert.equal((await inspectImage(tools.docker, reference))?.Id, image);
    await registry.stop();
    assert.equal((await pull()).exitCode, 0, "nothing is asked for an image that is here");
    await registry.start();
  });

  void it("knows the size of an image before it is pulled, as the sum of its layers", async (test) => {
    const { context, tools } = await pushed(test, "v5");
    const reference = `${registry.path}/mlops-app:base`;
    await docker("tag", BASE_IMAGE, reference);
    await publish(context, tools, reference, RETRY);
    const { Size } = await tools.docker.getImage(reference).inspect();
    const size = (await registrySize(context, tools, reference)) ?? 0;
    assert.ok(size > Size / 10 && size < Size, `${size} compressed of ${Size} bytes`);
    assert.equal(await registrySize(context, tools, `${registry.path}/mlops-app:none`), undefined);
  });
});

void describe("a deployment with a registry", () => {
  let registry: Registry;
  let sandbox: Sandbox;
  let tag: string;
  let reference: string;
  before(async () => {
    registry = await Registry.create();
    sandbox = await Sandbox.create("staging", { keepReleases: "2" });
    tag = `v1.0.0-${sandbox.stack}`;
    reference = `${registry.path}/mlops-app:${tag}`;
    await registry.login();
  });
  after(async () => {
    await sandbox.remove();
    await registry.remove();
  });
  const deploy = (): Promise<Ended> =>
    sandbox.run(["deploy", tag, "--stack", sandbox.stack, "--yes"], registry.env);
  const imageOf = async (name: string): Promise<string> =>
    (await docker("image", "inspect", "--format={{.Id}}", name))[0] ?? "";

  void it("pulls an image that the host does not have, the very one that was pushed", async () => {
    const built = await sandbox.run(["build", tag, "--json"], registry.env);
    assert.equal(built.exitCode, 0, built.output);
    const { id } = JSON.parse(built.stdout) as Built;
    await docker("image", "rm", reference);
    const { exitCode, output } = await deploy();
    assert.equal(exitCode, 0, output);
    assert.match(output, new RegExp(`Pulling ${reference}`));
    assert.equal(await imageOf(reference), id);
  });

  void it("needs the registry no more once the image is here", async () => {
    await registry.stop();
    const { exitCode, output } = await deploy();
    assert.equal(exitCode, 0, output);
    assert.match(output, /no changes/i);
  });

  void it("refuses another image under the TAG, naming both, and takes the right one back", async () => {
    const live = await imageOf(reference);
    await docker("tag", BASE_IMAGE, reference);
    const refused = await deploy();
    assert.notEqual(refused.exitCode, 0, refused.output);
    for (const image of [live, await imageOf(BASE_IMAGE)])
      assert.ok(refused.output.includes(image), refused.output);
    assert.equal(await imageOf(`mlops-release/${sandbox.stack}:${tag}`), live);
    await docker("image", "rm", reference);
    const { exitCode, output } = await deploy();
    assert.equal(exitCode, 0, output);
    assert.match(output, /no changes/i);
    assert.equal(await imageOf(reference), live);
  });

  void it("refuses a release that it cannot pull, with the reason, and leaves what runs", async () => {
    const missing = await sandbox.run(["deploy", "v9.9.9", "--stack", sandbox.stack], registry.env);
    assert.notEqual(missing.exitCode, 0, missing.output);
    assert.match(missing.output, /cannot be reached .*v9\.9\.9.*connection refused/);
    await registry.start();
    const unknown = await sandbox.run(["deploy", "v9.9.9", "--stack", sandbox.stack], registry.env);
    assert.notEqual(unknown.exitCode, 0, unknown.output);
    assert.match(unknown.output, /does not have .*mlops-app:v9\.9\.9/);
    const status = await sandbox.succeed("status", "--json");
    assert.match(status.stdout, new RegExp(`"image": "${reference}"`));
  });

  void it("wants a backup where the stack's configuration asks for one", async () => {
    const file = join(sandbox.root, `Pulumi.${sandbox.stack}.yaml`);
    const before = readFileSync(file, "utf8");
    writeFileSync(file, before.replace("config:\n", 'config:\n  mlops:backupMaxAge: "24"\n'));
    const { exitCode, output } = await deploy();
    writeFileSync(file, before);
    assert.notEqual(exitCode, 0, output);
    assert.match(output, /There is no backup\. .*at most 24 h old/);
    assert.match(output, /backupMaxAge 0/);
  });

  void it("removes the images of old releases from the host, and none that is needed", async () => {
    const [first, second, third] = [tag, `${tag}-2`, `${tag}-3`];
    for (const next of [second, third]) {
      appendFileSync(join(sandbox.root, "app", "mlops_app", "__init__.py"), `# ${next}\n`);
      tag = next;
      const built = await sandbox.run(["build", tag], registry.env);
      assert.equal(built.exitCode, 0, built.output);
      const { exitCode, output } = await deploy();
      assert.equal(exitCode, 0, output);
      if (next === third) assert.ok(output.includes(`${registry.path}/mlops-app:${first}`), output);
    }
    assert.deepEqual(await releasesOnHost(), [second, third]);
    const { stdout } = await prune("--json");
    const { removed } = JSON.parse(stdout) as { readonly removed: readonly unknown[] };
    assert.deepEqual(removed, [], "the deployment has done it");
  });
  const prune = (...options: readonly string[]): Promise<Ended> =>
    sandbox.run(["prune", "--stack", sandbox.stack, ...options], registry.env);
  /** Tags of the releases that this host can run without the registry. */
  const releasesOnHost = async (): Promise<string[]> =>
    (await docker("images", "--format={{.Tag}}", `${registry.path}/mlops-app`)).sort();

  void it("goes back without the registry, and with it further than the host remembers", async () => {
    const rollback = (...args: readonly string[]): Promise<Ended> =>
      sandbox.run(["rollback", ...args, "--stack", sandbox.stack, "--yes"], registry.env);
    await registry.stop();
    const near = await rollback();
    assert.equal(near.exitCode, 0, near.output);
    const first = tag.replace(/-3$/, "");
    const far = await rollback(first);
    assert.notEqual(far.exitCode, 0, far.output);
    assert.match(far.output, /cannot be reached/);
    await registry.start();
    const further = await rollback(first);
    assert.equal(further.exitCode, 0, further.output);
    assert.ok((await releasesOnHost()).includes(first));
  });
});
