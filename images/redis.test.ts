import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { after, before, describe, it } from "node:test";
import { Sandbox, serviceImage, type RunOptions } from "./testing/sandbox";

const USER = "999:1000";
const HEALTH = ["redis-cli", "--user", "health", "--pass", "-", "--no-auth-warning"];

void describe("Redis image", () => {
  const sandbox = new Sandbox();
  const password = "secret";
  let options: RunOptions;

  before(async () => {
    const image = await serviceImage("redis");
    const hash = createHash("sha256").update(password).digest("hex");
    const own = { image, user: USER };
    options = {
      ...own,
      volumes: { "/data": await sandbox.volume("data") },
      files: {
        "/etc/redis/conf": await sandbox.files(own, {
          "redis.conf": "dir /data\nappendonly yes\naclfile /run/secrets/users.acl\n",
        }),
        "/run/secrets": await sandbox.files(own, {
          "users.acl": `user default on #${hash} ~* &* +@all\nuser health on nopass -@all +ping\n`,
        }),
      },
    };
  });
  after(() => sandbox.remove());

  /** Commands as the user with the password, which reaches redis-cli on standard input. */
  const command = (container: string, ...words: string[]): Promise<string> =>
    sandbox.docker(
      ["exec", "--interactive", container, "redis-cli", "--no-auth-warning"],
      [`AUTH ${password}`, words.join(" "), ""].join("\n"),
    );

  void it("runs version 8 and lets the health user ping and nothing else", async () => {
    const container = await sandbox.start(options);
    await sandbox.healthy(container, ...HEALTH, "ping");
    assert.match(await command(container, "INFO server"), /redis_version:8\./);
    for (const refused of ["GET key", "INFO", "CONFIG GET requirepass", "ACL LIST"]) {
      const { output } = await sandbox.exec(container, ...HEALTH, ...refused.split(" "));
      assert.match(output, /^NOPERM/, refused);
    }
    const { output } = await sandbox.exec(container, "redis-cli", "GET", "key");
    assert.match(output, /^NOAUTH/);
  });

  void it("keeps data in a new container", async () => {
    const first = await sandbox.start(options);
    await sandbox.healthy(first, ...HEALTH, "ping");
    await command(first, "SET kept 42");
    await sandbox.docker(["stop", first]);
    assert.equal(await sandbox.inspect(first, ".State.ExitCode"), "0");

    const second = await sandbox.start(options);
    await sandbox.healthy(second, ...HEALTH, "ping");
    assert.match(await command(second, "GET kept"), /42/);
  });
});
