import assert from "node:assert/strict";
import { cp, mkdir, writeFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { describe, it, type TestContext } from "node:test";
import { ConfigError } from "../config";
import { knownStacks } from "../config/project";
import { createContext, type Context } from "./context";
import { UnknownStackError, UnreadableFileError } from "./errors";
import { loadConfig } from "./stack-config";
import { testBed } from "./testing/context";

const ROOT = resolve(__dirname, "..");

/** The project's own declarations with one stack, `test`. */
async function project(
  test: TestContext,
  stackYaml: string,
  env: NodeJS.ProcessEnv = {},
): Promise<Context> {
  const { context } = await testBed(test, env);
  await cp(join(ROOT, "Pulumi.yaml"), join(context.root, "Pulumi.yaml"));
  await writeFile(join(context.root, "Pulumi.test.yaml"), stackYaml);
  return context;
}

void describe("loadConfig", () => {
  void it("takes the stack's values over the declared defaults", async (test) => {
    const context = await project(test, 'config:\n  mlops:httpPort: "18999"\n');
    const config = loadConfig(context, "test");
    assert.equal(config.stack, "test");
    assert.equal(config.nginx.httpPort, 18999);
    assert.equal(config.app.cache.ttl, 3600);
  });

  void it("takes the environment over .env, and both over the stack", async (test) => {
    const context = await project(test, "config:\n  mlops:tag: v1\n", { TAG: "v3" });
    await writeFile(join(context.root, ".env"), "TAG=v2\nREGISTRY=registry.example.com\n");
    const { release } = loadConfig(context, "test");
    const { tag, registry, keep } = release;
    assert.deepEqual(
      { tag, registry, keep },
      { tag: "v3", registry: "registry.example.com", keep: 5 },
    );
  });

  void it("accepts a stack without values, numbers without quotes, and encrypted values", async (test) => {
    loadConfig(await project(test, ""), "test");
    const context = await project(
      test,
      "config:\n  mlops:httpPort: 18999\n  aws:key:\n    secure: v1:x\n",
    );
    assert.equal(loadConfig(context, "test").nginx.httpPort, 18999);
  });

  void it("reads every committed stack", () => {
    // Some insist on a release.
    const context = createContext(ROOT, { TAG: "v1.0.0" });
    for (const stack of knownStacks(context.root))
      assert.equal(loadConfig(context, stack).stack, stack);
  });

  void it("lists the known stacks when it is asked for another", async (test) => {
    const context = await project(test, "");
    assert.throws(
      () => loadConfig(context, "nope"),
      (error) => {
        assert.ok(error instanceof UnknownStackError);
        assert.match(error.message, /no stack "nope"\. Known stacks: test\./);
        return true;
      },
    );
  });

  void it("reports everything that is wrong at once", async (test) => {
    const yaml = "config:\n  mlops:httpPort: eighty\n  mlops:htpPort: 80\n  mlops:logLevel: loud\n";
    const context = await project(test, yaml);
    assert.throws(
      () => loadConfig(context, "test"),
      (error) => {
        assert.ok(error instanceof ConfigError);
        assert.deepEqual(error.problems.map(({ key }) => key).sort(), [
          "htpPort",
          "httpPort",
          "logLevel",
        ]);
        return true;
      },
    );
  });

  void it("names a .env that cannot be read", async (test) => {
    const context = await project(test, "");
    await mkdir(join(context.root, ".env"));
    assert.throws(
      () => loadConfig(context, "test"),
      (error) => {
        assert.ok(error instanceof UnreadableFileError);
        assert.match(error.message, /\.env cannot be read \(EISDIR.*chmod 600/);
        return true;
      },
    );
  });

  void it("names the place of a mistake in the stack's file", async (test) => {
    const context = await project(test, "config:\n  a: b\nsalt: x\n  c: d\n");
    assert.throws(
      () => loadConfig(context, "test"),
      (error) => {
        assert.ok(error instanceof UnreadableFileError);
        assert.match(error.message, /Pulumi\.test\.yaml cannot be read .*line \d+/);
        return true;
      },
    );
  });
});
