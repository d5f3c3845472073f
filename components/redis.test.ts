import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, it } from "node:test";
import { recordStack, stackConfig, writtenFiles } from "./testing/stack";

void describe("Redis", async () => {
  const stack = await recordStack(stackConfig("prod"));

  void it("has an append-only file and the configured memory and policy", () => {
    assert.deepEqual(writtenFiles(stack.command("redis-config-write")), {
      "redis.conf": [
        "port 6379",
        "dir /data",
        "appendonly yes",
        "appendfsync everysec",
        "maxmemory 256mb",
        "maxmemory-policy allkeys-lru",
        "aclfile /run/secrets/users.acl",
        "",
      ].join("\n"),
    });
  });

  void it("knows its password by hash only; who needs none may ping, or have it read its list", () => {
    assert.deepEqual(writtenFiles(stack.command("redis-present-write")), {
      "users.acl": accessList(PASSWORD),
    });
  });

  void it("reads its list anew in the running container, without a password", () => {
    const volume = stack.volume("redis-secrets").name;
    for (const [load, write] of [
      ["redis-load", "redis-secrets-write"],
      ["redis-present-load", "redis-present-write"],
    ] as const) {
      const { inputs } = stack.command(load);
      assert.equal(
        inputs.create,
        "docker exec mlops-prod-redis redis-cli -e --user reload --pass - --no-auth-warning ACL LOAD",
      );
      assert.deepEqual(inputs.triggers, [`mlops-prod-${write}-id`]);
      const script = String(stack.command(write).inputs.create);
      assert.ok(script.includes(` --volume ${volume}:/files `), script);
    }
  });

  void it("keeps its data on a named volume that outlives the stack", () => {
    assert.deepEqual(stack.volume("redis-data").inputs, {
      name: "mlops-prod-redis-data",
      labels: [
        { label: "mlops.stack", value: "prod" },
        { label: "mlops.service", value: "redis" },
        { label: "mlops.data", value: "true" },
      ],
    });
  });

  void describe("a new password on its way", () => {
    const folder = mkdtempSync(join(tmpdir(), "mlops-redis-"));
    after(() => {
      rmSync(folder, { recursive: true });
    });
    const owner = `${process.getuid?.() ?? 0}:${process.getgid?.() ?? 0}`;
    const file = join(folder, "users.acl");
    /** Runs one of the stack's scripts on a folder of this machine, as its user. */
    const run = (write: string): string => {
      const script = String(stack.command(write).inputs.stdin);
      const input = script.replace("cd /files", `cd ${folder}`).replaceAll("999:1000", owner);
      execFileSync("sh", ["-s"], { input });
      return readFileSync(file, "utf8");
    };

    void it("is the only one on an empty volume", () => {
      assert.equal(run("redis-secrets-write"), accessList(PASSWORD));
    });

    void it("is accepted beside those before it, however often it is begun", () => {
      // The second of them is from a rotation that was never finished.
      writeFileSync(file, accessList("second", "first"));
      const all = accessList(PASSWORD, "second", "first");
      assert.equal(run("redis-secrets-write"), all);
      assert.equal(run("redis-secrets-write"), all);
    });

    void it("is the only one in the end", () => {
      assert.equal(run("redis-present-write"), accessList(PASSWORD));
      assert.equal(run("redis-secrets-write"), accessList(PASSWORD));
    });
  });
});

/** What the mocks generate. */
const PASSWORD = "password-of-mlops-prod-redis-password";

const hashOf = (password: string): string => createHash("sha256").update(password).digest("hex");

const accessList = (...passwords: readonly string[]): string =>
  [
    `user default on ${passwords.map((password) => `#${hashOf(password)}`).join(" ")} ~* &* +@all`,
    "user health on nopass -@all +ping",
    "user reload on nopass -@all +acl|load",
    "",
  ].join("\n");
