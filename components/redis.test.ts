import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { describe, it } from "node:test";
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

  void it("knows its password by hash only, and lets the health check do nothing but ping", () => {
    const hash = createHash("sha256").update("password-of-mlops-prod-redis-password").digest("hex");
    assert.deepEqual(writtenFiles(stack.command("redis-secrets-write")), {
      "users.acl": `user default on #${hash} ~* &* +@all\nuser health on nopass -@all +ping\n`,
    });
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
});
