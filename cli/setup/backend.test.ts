import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { chmod, readFile, rm, stat, writeFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { text } from "node:stream/consumers";
import { describe, it, type TestContext } from "node:test";
import type { Context } from "../context";
import { CommandError, ExposedFileError } from "../errors";
import { writeFileAtomically } from "../files";
import { testBed } from "../testing/context";
import { ensureBackend } from "./backend";

async function project(
  test: TestContext,
  env: NodeJS.ProcessEnv = {},
  pulumiYaml = "name: mlops\n",
): Promise<Context> {
  const { context } = await testBed(test, { ...env });
  const home = join(context.root, "home");
  await writeFile(join(context.root, "Pulumi.yaml"), pulumiYaml);
  return { ...context, env: { PULUMI_HOME: home, ...env } };
}

const passphraseOf = (context: Context): string => join(context.stateDir, "passphrase");

void describe("ensureBackend", () => {
  void it("keeps state in the project, with a passphrase only its owner can read", async (test) => {
    const context = await project(test);
    const backend = await ensureBackend(context);
    const state = join(context.stateDir, "state");
    assert.deepEqual(backend.env, {
      PULUMI_BACKEND_URL: `file://${state}`,
      PULUMI_CONFIG_PASSPHRASE_FILE: passphraseOf(context),
    });
    assert.equal(backend.stateFolder, state);
    assert.equal((await stat(passphraseOf(context))).mode & 0o777, 0o600);
    assert.equal((await stat(context.stateDir)).mode & 0o777, 0o700);
    assert.match(await readFile(passphraseOf(context), "utf8"), /^[\w-]{43}$/);
  });

  void it("makes the passphrase once", async (test) => {
    const context = await project(test);
    await ensureBackend(context);
    const first = await readFile(passphraseOf(context), "utf8");
    await ensureBackend(context);
    assert.equal(await readFile(passphraseOf(context), "utf8"), first);
  });

  void it("agrees on one passphrase when several processes start at once", async (test) => {
    const context = await project(test);
    const script = `
      const { ensureBackend } = require(${JSON.stringify(resolve(__dirname, "backend.ts"))});
      const { readFileSync } = require("node:fs");
      const context = ${JSON.stringify({ ...context, terminal: undefined })};
      ensureBackend(context).then(({ env }) =>
        process.stdout.write(readFileSync(env.PULUMI_CONFIG_PASSPHRASE_FILE, "utf8")));`;
    const passphrases = await Promise.all(
      [1, 2, 3].map(async () => {
        const child = spawn(process.execPath, ["--import", "tsx", "--eval", script]);
        const [said] = await Promise.all([text(child.stdout), once(child, "exit")]);
        return said;
      }),
    );
    assert.equal(new Set(passphrases).size, 1);
    assert.match(passphrases[0] ?? "", /^[\w-]{43}$/);
  });

  void it("refuses a passphrase that others can read", async (test) => {
    const context = await project(test);
    await ensureBackend(context);
    await chmod(passphraseOf(context), 0o640);
    await assert.rejects(ensureBackend(context), (error) => {
      assert.ok(error instanceof ExposedFileError);
      assert.match(error.message, /mode 0640.*chmod 600/);
      return true;
    });
  });

  void it("refuses the caller's own passphrase file as well when others can read it", async (test) => {
    const context = await project(test);
    const file = join(context.root, "own");
    await writeFile(file, "secret", { mode: 0o644 });
    const env = { ...context.env, PULUMI_CONFIG_PASSPHRASE_FILE: file };
    await assert.rejects(ensureBackend({ ...context, env }), ExposedFileError);
  });

  void it("makes no new passphrase for stacks that the old one closed", async (test) => {
    const context = await project(test);
    await ensureBackend(context);
    await writeFileAtomically(join(context.stateDir, "state/.pulumi/stacks/mlops/dev.json"), "{}");
    await rm(passphraseOf(context));
    await assert.rejects(ensureBackend(context), (error) => {
      assert.ok(error instanceof CommandError);
      assert.match(error.message, /is gone.*PULUMI_CONFIG_PASSPHRASE_FILE/);
      return true;
    });
  });

  void it("leaves everything to a caller who has chosen a backend and a passphrase", async (test) => {
    const env = { PULUMI_BACKEND_URL: "s3://bucket", PULUMI_CONFIG_PASSPHRASE: "" };
    const backend = await ensureBackend(await project(test, env));
    assert.deepEqual(backend.env, {});
    assert.equal(backend.stateFolder, undefined);
  });

  void it("uses the login of pulumi itself", async (test) => {
    const context = await project(test);
    await writeFileAtomically(
      join(context.root, "home/credentials.json"),
      JSON.stringify({ current: "https://api.example.com" }),
    );
    assert.deepEqual((await ensureBackend(context)).env, {});
  });

  void it("gives a passphrase to other backends that need one", async (test) => {
    const context = await project(test, {}, "name: mlops\nbackend:\n  url: file:///srv/state\n");
    const backend = await ensureBackend(context);
    assert.deepEqual(backend.env, { PULUMI_CONFIG_PASSPHRASE_FILE: passphraseOf(context) });
    assert.equal(backend.stateFolder, "/srv/state");
  });

  void it("counts a logout as no login", async (test) => {
    const context = await project(test);
    await writeFileAtomically(join(context.root, "home/credentials.json"), '{"current": ""}');
    assert.ok((await ensureBackend(context)).env["PULUMI_BACKEND_URL"]?.startsWith("file://"));
  });
});
