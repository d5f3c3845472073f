import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { chmod, mkdir, readdir, stat, writeFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { describe, it, type TestContext } from "node:test";
import type { Context } from "../context";
import { StepError } from "../errors";
import { runProgram } from "../exec";
import { writeFileAtomically } from "../files";
import { testBed, type TestBed } from "../testing/context";
import { findPrograms } from "./programs";
import { ensureToolchain } from "./toolchain";

const ROOT = resolve(__dirname, "..", "..");
const VERSION = "0.0.0-test";

/**
 * A project whose toolchain is one small Go program, and no Pulumi on PATH.
 */
async function project(test: TestContext): Promise<TestBed> {
  const bed = await testBed(test);
  const { root } = bed.context;
  const path = (process.env["PATH"] ?? "").split(":");
  const withPulumi = await findPrograms("pulumi", path);
  const env = {
    ...process.env,
    PATH: path.filter((folder) => !withPulumi.includes(join(folder, "pulumi"))).join(":"),
  };
  await writeFileAtomically(
    join(root, "node_modules/@pulumi/pulumi/package.json"),
    JSON.stringify({ version: VERSION }),
  );
  const files: Record<string, string> = {
    "go.mod": "module example\n\ngo 1.21\n",
    "main.go": 'package main\n\nvar word = "?"\n\nfunc main() { print(word) }\n',
    "targets.json": JSON.stringify({
      flags: ["-trimpath"],
      targets: [
        { name: "pulumi", module: ".", package: ".", ldflags: "-X main.word=built" },
        { name: "pulumi-resource-x", module: ".", package: ".", plugin: "resource-x-v1.0.0" },
      ],
    }),
  };
  for (const [name, content] of Object.entries(files))
    await writeFileAtomically(join(root, "toolchain", name), content);
  return { ...bed, context: { ...bed.context, env } };
}

const ensure = (context: Context): ReturnType<typeof ensureToolchain> =>
  // Whether this machine reaches the official download must not decide what is tested.
  ensureToolchain(context, "./mlops up", () => Promise.resolve(false));

void describe("ensureToolchain", () => {
  void it("takes the pulumi on PATH as it is", async (test) => {
    const { context, stderr } = await project(test);
    const bin = join(context.root, "bin");
    await mkdir(bin);
    await writeFile(join(bin, "pulumi"), "#!/bin/sh\n");
    await chmod(join(bin, "pulumi"), 0o755);
    const env = { ...context.env, PATH: `${bin}:${context.env["PATH"] ?? ""}` };
    const toolchain = await ensure({ ...context, env });
    assert.deepEqual(toolchain, { pulumi: { program: "pulumi", version: undefined }, env: {} });
    assert.equal(stderr(), "");
  });

  void it("takes an official download that is there already", async (test) => {
    const { context } = await project(test);
    const program = join(context.cacheDir, "pulumi", VERSION, "bin", "pulumi");
    await writeFileAtomically(program, "");
    assert.deepEqual(await ensure(context), { pulumi: { program, version: VERSION }, env: {} });
  });

  void it("builds once, says which it took, and builds anew only for other sources", async (test) => {
    const { context, stderr } = await project(test);
    const { pulumi, env } = await ensure(context);
    assert.equal((await runProgram(pulumi.program, [])).stderr, "built");
    assert.match(stderr(), /Pulumi: built from toolchain\/, kept in \S+/);
    const plugin = join(env["PULUMI_HOME"] ?? "", "plugins/resource-x-v1.0.0/pulumi-resource-x");
    assert.equal((await runProgram(plugin, [])).stderr, "?");
    const builtAt = (await stat(pulumi.program)).mtimeMs;

    assert.deepEqual((await ensure(context)).pulumi, pulumi);
    await writeFile(join(context.root, "toolchain", "main_test.go"), "package main\n");
    await writeFile(join(context.root, "toolchain", "README.md"), "Words.\n");
    assert.deepEqual((await ensure(context)).pulumi, pulumi);
    assert.equal((await stat(pulumi.program)).mtimeMs, builtAt);

    await writeFile(join(context.root, "toolchain", "main.go"), "package main\n\nfunc main() {}\n");
    assert.notEqual((await ensure(context)).pulumi.program, pulumi.program);
  });

  void it("is not led astray by its own build on PATH", async (test) => {
    const { context } = await project(test);
    const { pulumi } = await ensure(context);
    const env = { ...context.env, PATH: `${pulumi.program}/..:${context.env["PATH"] ?? ""}` };
    assert.deepEqual((await ensure({ ...context, env })).pulumi, pulumi);
  });

  void it("builds once for two at the same time", async (test) => {
    const { context, stderr } = await project(test);
    const [first, second] = await Promise.all([ensure(context), ensure(context)]);
    assert.deepEqual(first, second);
    assert.equal(stderr().match(/Building Pulumi and its plugins from toolchain\/ …/g)?.length, 1);
  });

  void it("goes on after it was killed in the middle", { timeout: 60_000 }, async (test) => {
    const { context } = await project(test);
    const script = `
      const { ensureToolchain } = require(${JSON.stringify(join(__dirname, "toolchain.ts"))});
      const { createContext } = require(${JSON.stringify(join(ROOT, "cli", "context.ts"))});
      ensureToolchain({ ...createContext(${JSON.stringify(context.root)}, process.env),
        cacheDir: ${JSON.stringify(context.cacheDir)} }, "./mlops up", async () => false);`;
    const killed = spawn(process.execPath, ["--import", "tsx", "--eval", script], {
      cwd: ROOT,
      env: context.env,
      stdio: ["ignore", "ignore", "pipe"],
    });
    let said = "";
    for await (const chunk of killed.stderr) {
      said += String(chunk);
      if (said.includes("Building")) break;
    }
    killed.kill("SIGKILL");
    await once(killed, "exit");
    const { pulumi } = await ensure(context);
    assert.equal((await runProgram(pulumi.program, [])).stderr, "built");
    const kept = await readdir(join(context.cacheDir, "toolchain"));
    assert.deepEqual(
      kept.filter((name) => name.endsWith(".partial")),
      [],
    );
  });

  void it("shows the compiler's complaint, and leaves nothing that looks finished", async (test) => {
    const { context } = await project(test);
    await writeFile(
      join(context.root, "toolchain", "main.go"),
      "package main\n\nfunc main() { x }\n",
    );
    await assert.rejects(ensure(context), (error) => {
      assert.ok(error instanceof StepError);
      assert.match(error.logTail, /undefined: x/);
      return true;
    });
    const kept = await readdir(join(context.cacheDir, "toolchain"));
    assert.ok(kept.every((name) => name.endsWith(".partial")));
  });
});
