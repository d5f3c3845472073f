import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { cp, mkdir, readFile, symlink, writeFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { describe, it, type TestContext } from "node:test";
import { runProgram, type Ended } from "../cli/exec";
import { temporaryFolder } from "../cli/testing/context";

const ROOT = resolve(__dirname, "..");

/** A project with this one's launcher and one package, that prints what it was started with. */
async function project(test: TestContext): Promise<string> {
  const root = await temporaryFolder(test);
  await cp(join(ROOT, "mlops"), join(root, "mlops"));
  await mkdir(join(root, "bin"));
  await cp(join(ROOT, "bin", "node-version.cjs"), join(root, "bin", "node-version.cjs"));
  await writeFile(
    join(root, "bin", "mlops.cjs"),
    'console.log(JSON.stringify(process.argv.slice(2)), require("dependency"));',
  );
  await mkdir(join(root, "dependency"));
  await writeFile(join(root, "dependency", "index.js"), 'module.exports = "installed";');
  await writeFile(
    join(root, "dependency", "package.json"),
    JSON.stringify({ name: "dependency", version: "1.0.0" }),
  );
  const manifest = { name: "p", version: "1.0.0", dependencies: { dependency: "file:dependency" } };
  await writeFile(join(root, "package.json"), JSON.stringify(manifest));
  await runProgram("npm", ["install", "--package-lock-only", "--offline"], { cwd: root });
  return root;
}

const start = (root: string, ...args: string[]): Promise<Ended> =>
  runProgram(join(root, "mlops"), args, {
    cwd: "/",
    env: { XDG_CACHE_HOME: join(root, "cache") },
    reject: false,
  });

void describe("./mlops", () => {
  void it("installs the packages once, and hands over its arguments as they are", async (test) => {
    const root = await project(test);
    const first = await start(root, "a b", "", "$c");
    assert.equal(first.stdout, '["a b","","$c"] installed');
    assert.match(
      first.stderr,
      /^Installing Node packages \(npm ci\)\n[^]*Installed Node packages in \d+s$/,
    );
    const second = await start(root);
    assert.equal(second.stdout, "[] installed");
    assert.equal(second.stderr, "");
  });

  void it("installs again when the lockfile has changed", async (test) => {
    const root = await project(test);
    await start(root);
    const lockfile = join(root, "package-lock.json");
    await writeFile(lockfile, (await readFile(lockfile, "utf8")) + "\n");
    assert.match((await start(root)).stderr, /Installed Node packages/);
  });

  void it("works through links, relative ones too", async (test) => {
    const root = await project(test);
    const links = await temporaryFolder(test);
    await symlink(join(root, "mlops"), join(links, "absolute"));
    await symlink("absolute", join(links, "relative"));
    const env = { XDG_CACHE_HOME: join(root, "cache") };
    const { stdout } = await runProgram(join(links, "relative"), ["x"], { env });
    assert.equal(stdout, '["x"] installed');
  });

  void it("installs once when started twice at the same time", async (test) => {
    const root = await project(test);
    const both = await Promise.all([start(root, "1"), start(root, "2")]);
    assert.deepEqual(
      both.map(({ stdout }) => stdout),
      ['["1"] installed', '["2"] installed'],
    );
    const said = both.map(({ stderr }) => stderr).join("\n");
    assert.equal(said.match(/Installing Node packages \(npm ci\)/g)?.length, 1);
    assert.match(said, /Waiting for another process that installs/);
  });

  void it("begins anew after it was killed half-way", async (test) => {
    const root = await project(test);
    const killed = spawn(join(root, "mlops"), [], {
      env: { ...process.env, XDG_CACHE_HOME: join(root, "cache") },
      stdio: ["ignore", "ignore", "pipe"],
    });
    await once(killed.stderr, "data");
    killed.kill("SIGKILL");
    await once(killed, "exit");
    assert.equal(existsSync(join(root, "node_modules", ".installed-lock.json")), false);
    const { stdout, stderr } = await start(root);
    assert.equal(stdout, "[] installed");
    assert.match(stderr, /Installed Node packages/);
  });

  void it("prints npm's complaint and the command to retry", async (test) => {
    const root = await project(test);
    const manifest = { name: "p", version: "1.0.0", dependencies: { dependency: "file:other" } };
    await writeFile(join(root, "package.json"), JSON.stringify(manifest));
    const { exitCode, stdout, stderr } = await start(root);
    assert.equal(exitCode, 1);
    assert.equal(stdout, "");
    assert.match(stderr, /npm error/);
    assert.ok(stderr.includes(`Try again with: cd ${root} && npm ci`), stderr);
  });

  void it("says so where Node is missing", async (test) => {
    const root = await project(test);
    const bin = await temporaryFolder(test);
    for (const name of ["sh", "dirname", "readlink", "cmp", "mkdir"])
      await symlink((await runProgram("which", [name])).stdout, join(bin, name));
    const { exitCode, stderr } = await runProgram(join(root, "mlops"), [], {
      env: { PATH: bin },
      reject: false,
    });
    assert.equal(exitCode, 1);
    assert.match(stderr, /Node\.js is not installed or not on PATH\. Install Node 20\.19 or newer/);
  });

  for (const [version, isEnough] of [
    ["18.20.0", false],
    ["20.18.3", false],
    ["20.19.0", true],
    ["22.0.0", true],
  ] as const)
    void it(`${isEnough ? "accepts" : "refuses"} Node ${version}`, async () => {
      const check = join(ROOT, "bin", "node-version.cjs");
      const script = `Object.defineProperty(process.versions, "node", { value: "${version}" });
        require(${JSON.stringify(check)});`;
      const { exitCode, stderr } = await runProgram(process.execPath, ["--eval", script], {
        reject: false,
      });
      assert.equal(exitCode, isEnough ? 0 : 1);
      assert.equal(stderr.includes(`Node.js ${version}`), !isEnough);
    });
});
