import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { after, before, describe, it } from "node:test";
import { eventually, Sandbox, serviceImage, type RunOptions } from "./testing/sandbox";

const USER = "65534:65534";
const PASSWORD = "secret";

void describe("Exporters image", () => {
  const sandbox = new Sandbox();
  let image: string;
  before(async () => {
    image = await serviceImage("exporters");
  });
  after(() => sandbox.remove());

  for (const [name, version] of [
    ["postgres", /postgres_exporter, version 0\.17\./],
    ["redis", /Redis Metrics Exporter 1\.69\./],
    ["nginx", /nginx_exporter, version 1\.4\./],
  ] as const)
    void it(`has the ${name} exporter`, async () => {
      const command = [`prometheus-${name}-exporter`, "--version"];
      const { output } = await sandbox.once({ image, user: USER, command });
      assert.match(output, version);
    });

  /** Starts an exporter and waits until its figures contain a line. */
  async function exports(line: string, port: number, options: Partial<RunOptions>): Promise<void> {
    const container = await sandbox.start({ image, user: USER, alias: "exporter", ...options });
    const page = ["busybox", "wget", "-q", "-O", "-", `http://127.0.0.1:${port}`];
    await sandbox.healthy(container, ...page);
    await eventually(`${line} of ${container}`, async () => {
      const { output } = await sandbox.exec(
        container,
        ...page.slice(0, -1),
        `${page.at(-1) ?? ""}/metrics`,
      );
      return output.split("\n").includes(line) ? true : undefined;
    });
  }

  void it("exports the figures of Postgres, with the password in a file", async () => {
    const server = { image: await serviceImage("postgres"), user: "999:999" };
    const secrets = await sandbox.files(server, { password: PASSWORD });
    await sandbox.start({
      ...server,
      alias: "postgres",
      tmpfs: ["/run/postgresql"],
      volumes: { "/var/lib/postgresql/data": await sandbox.volume("postgres") },
      files: { "/run/secrets": secrets },
      environment: { POSTGRES_PASSWORD_FILE: "/run/secrets/password" },
    });
    const own = await sandbox.files({ image, user: USER }, { password: PASSWORD });
    await exports("pg_up 1", 9187, {
      command: ["prometheus-postgres-exporter"],
      files: { "/run/secrets": own },
      environment: {
        DATA_SOURCE_URI: "postgres:5432/postgres?sslmode=disable",
        DATA_SOURCE_USER: "postgres",
        DATA_SOURCE_PASS_FILE: "/run/secrets/password",
      },
    });
  });

  void it("exports the figures of Redis, with the password in a file", async () => {
    const server = { image: await serviceImage("redis"), user: "999:1000" };
    const hash = createHash("sha256").update(PASSWORD).digest("hex");
    const configuration = await sandbox.files(server, {
      "redis.conf": "dir /data\naclfile /etc/redis/conf/users.acl\n",
      "users.acl": `user default on #${hash} ~* &* +@all\n`,
    });
    await sandbox.start({
      ...server,
      alias: "redis",
      volumes: { "/data": await sandbox.volume("redis") },
      files: { "/etc/redis/conf": configuration },
    });
    const address = "redis://redis:6379";
    const own = await sandbox.files(
      { image, user: USER },
      { "passwords.json": JSON.stringify({ [address]: PASSWORD }) },
    );
    await exports("redis_up 1", 9121, {
      command: [
        "prometheus-redis-exporter",
        `--redis.addr=${address}`,
        "--redis.password-file=/run/secrets/passwords.json",
      ],
      files: { "/run/secrets": own },
    });
  });

  void it("exports the figures of nginx", async () => {
    const server = { image: await serviceImage("nginx"), user: "101:101" };
    const site = "server { listen 8081; location = /stub_status { stub_status; } }\n";
    await sandbox.start({
      ...server,
      alias: "nginx",
      tmpfs: ["/run", "/var/cache/nginx"],
      files: { "/etc/nginx/conf.d": await sandbox.files(server, { "site.conf": site }) },
    });
    await exports("nginx_up 1", 9113, {
      command: ["prometheus-nginx-exporter", "--nginx.scrape-uri=http://nginx:8081/stub_status"],
    });
  });
});
