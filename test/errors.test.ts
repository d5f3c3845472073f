import assert from "node:assert/strict";
import { mkdirSync, readFileSync, rmdirSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { parse } from "yaml";
import { docker, runProgram, Sandbox, type Ended } from "./sandbox";

/** What every refusal has: a cause, a fix, no stack trace, and nothing left on the Docker host. */
async function assertRefused(
  sandbox: Sandbox,
  { exitCode, output }: Ended,
  cause: RegExp,
  fix: RegExp,
): Promise<void> {
  assert.notEqual(exitCode, 0, output);
  assert.match(output, cause);
  assert.match(output, fix);
  assert.doesNotMatch(output, /^\s+at .*:\d+:\d+\)?$/m, "a stack trace is not an explanation");
  const filter = `label=mlops.stack=${sandbox.stack}`;
  assert.deepEqual(await docker("ps", "--all", "--quiet", "--filter", filter), []);
  assert.deepEqual(await docker("volume", "ls", "--quiet", "--filter", filter), []);
}

void describe("bad input is refused before anything is touched", () => {
  let sandbox: Sandbox;
  before(async () => {
    sandbox = await Sandbox.create("staging");
  });
  after(() => sandbox.remove());
  const up = (env: Readonly<Record<string, string>> = {}): Promise<Ended> =>
    sandbox.run(["up", "--stack", sandbox.stack], { TAG: "v1.0.0", ...env });

  void it("an unknown stack, with the known ones", async () => {
    const ended = await sandbox.run(["up", "--stack", "production"]);
    await assertRefused(sandbox, ended, /"production"/, /dev, prod, staging/);
  });

  void it("a missing TAG and other mistakes of configuration, all at once", async () => {
    const ended = await sandbox.run(["up", "--stack", sandbox.stack], { MODE: "fast", TAG: "" });
    await assertRefused(sandbox, ended, /TAG: is missing/, /TAG=v1\.0\.0 \.\/mlops up/);
    assert.match(ended.output, /mode: "fast" is not one of image, vsc/);
  });

  void it("latest where releases are required", async () => {
    await assertRefused(sandbox, await up({ TAG: "latest" }), /"latest" is not a release/, /TAG=v/);
  });

  void it("an .env that cannot be read", async () => {
    const file = join(sandbox.root, ".env");
    mkdirSync(file);
    await assertRefused(sandbox, await up(), /\.env cannot be read/, /chmod 600|remove/i);
    rmdirSync(file);
  });

  void it("a Docker daemon that does not answer", async () => {
    const socket = join(sandbox.root, "nobody.sock");
    const ended = await up({ DOCKER_HOST: `unix://${socket}` });
    await assertRefused(sandbox, ended, /Docker .*cannot be reached/, /DOCKER_HOST/);
  });

  void it("a port that is taken, with its holder", async () => {
    const server = createServer();
    const port = Number(configOf(sandbox)["mlops:httpPort"]);
    await new Promise<void>((resolve) => server.listen(port, "127.0.0.1", resolve));
    const ended = await up();
    await new Promise((resolve) => server.close(resolve));
    await assertRefused(sandbox, ended, new RegExp(`Port ${port} .* is taken by node`), /httpPort/);
  });

  void it("a release whose image does not exist", async () => {
    const ended = await up({ TAG: "v9.9.9-missing" });
    await assertRefused(
      sandbox,
      ended,
      /mlops-app:v9\.9\.9-missing/,
      /mlops build v9\.9\.9-missing/,
    );
  });

  void it("a disk that is nearly full", async (test) => {
    if (process.getuid?.() !== 0) {
      test.skip("needs root to mount a small file system");
      return;
    }
    const small = join(sandbox.root, "small");
    mkdirSync(small);
    const mounted = await runProgram("mount", ["-t", "tmpfs", "-o", "size=16m", "tmpfs", small]);
    assert.equal(mounted.exitCode, 0, mounted.output);
    const ended = await up({ XDG_CACHE_HOME: small });
    await runProgram("umount", [small]);
    await assertRefused(sandbox, ended, /Only 0\.0 GiB are free/, /Free some room/);
  });

  void it("a passphrase that is not the stack's", async () => {
    const created = await sandbox.run(["preview", "--stack", sandbox.stack], { TAG: RELEASE });
    assert.equal(created.exitCode, 0, created.output);
    const file = join(sandbox.root, ".mlops", "passphrase");
    rmSync(file);
    writeFileSync(file, "another", { mode: 0o600 });
    const ended = await up({ TAG: RELEASE });
    await assertRefused(sandbox, ended, /passphrase/, /\.mlops\/passphrase/);
  });

  void it("a passphrase file that others can read", async () => {
    const file = join(sandbox.root, ".mlops", "passphrase");
    rmSync(file);
    writeFileSync(file, "another", { mode: 0o644 });
    await assertRefused(sandbox, await up(), /passphrase/, /chmod 600/);
  });
});

/** A tag under which the tests have an image: any will do where only the preview is asked for. */
const RELEASE = "v0.0.0-errors";
before(async () => {
  const [image] = await docker("images", "--quiet", "debian:trixie-slim");
  assert.ok(image !== undefined, "the base image is part of the set-up");
  await docker("tag", image, `mlops-app:${RELEASE}`);
});
after(() => runProgram("docker", ["image", "rm", `mlops-app:${RELEASE}`]));

function configOf(sandbox: Sandbox): Record<string, string> {
  const file = join(sandbox.root, `Pulumi.${sandbox.stack}.yaml`);
  return (parse(readFileSync(file, "utf8")) as { config: Record<string, string> }).config;
}
