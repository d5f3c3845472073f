import * as pulumi from "@pulumi/pulumi";
import type { RedisConfig } from "../config";
import { Containers } from "./container";
import type { StackContext } from "./context";
import { Exporter } from "./exporter";
import { FilesVolume } from "./files";
import { accessVolume, loadAccess, type RedisAccess } from "./redis-access";
import { generatedPassword } from "./secret";
import { DataVolume } from "./volume";

/** Arguments of {@link Redis}. */
export interface RedisArgs {
  readonly context: StackContext;
  /** Image ID of Redis. */
  readonly image: pulumi.Input<string>;
  /** Image ID of the metrics exporters. */
  readonly exporterImage: pulumi.Input<string>;
  readonly config: RedisConfig;
}

/** The official image's own user. */
const USER = "999:1000";

/** Redis with a password, an append-only file and bounded memory, on the data network alone. */
export class Redis extends pulumi.ComponentResource {
  /** Generated password of the default user. */
  readonly password: pulumi.Output<string>;
  /** Who may log in. */
  readonly access: RedisAccess;
  /** Done when the server answers, and accepts the password. */
  readonly ready: pulumi.Resource;
  readonly exporter: Exporter;
  /** Volume of the append-only file. */
  readonly data: pulumi.Output<string>;

  constructor(name: string, args: RedisArgs, opts?: pulumi.ComponentResourceOptions) {
    super("mlops:redis:Redis", name, {}, opts);
    const { context, config } = args;
    this.password = generatedPassword(`${name}-password`, { parent: this });
    const data = new DataVolume(
      `${name}-data`,
      { context, service: "redis", purpose: "data" },
      { parent: this },
    );
    this.data = data.volumeName;
    const files = { context, service: "redis", image: args.image, user: USER };
    const settings = new FilesVolume(
      `${name}-config`,
      { ...files, files: { "redis.conf": redisConf(config) } },
      { parent: this },
    );
    const secrets = accessVolume(
      `${name}-secrets`,
      { ...files, password: this.password },
      { parent: this },
    );
    const server = new Containers(
      name,
      {
        context,
        spec: {
          name: "redis",
          image: args.image,
          user: USER,
          command: ["redis-server", "/etc/redis/conf/redis.conf"],
          files: [
            { volume: settings, path: "/etc/redis/conf" },
            // The running server is told to read it again.
            { volume: secrets, path: "/run/secrets", replaces: false },
          ],
          volumes: [{ volume: data.volumeName, path: "/data" }],
          tmpfs: [{ path: "/tmp", size: 16 }],
          health: {
            command: "sh -c"
              .split(" ")
              .concat("redis-cli --user health --pass - --no-auth-warning ping | grep -q PONG"),
          },
          resources: config.resources,
          networks: ["data"],
          update: "stop-first",
          stopGraceSeconds: 30,
        },
      },
      { parent: this },
    );
    const container = pulumi.interpolate`${server.names[0]}`;
    this.access = { ...files, volume: secrets.volumeName, password: this.password, container };
    this.ready = loadAccess(`${name}-load`, container, secrets, { parent: this });
    this.exporter = new Exporter(
      `${name}-exporter`,
      {
        context,
        image: args.exporterImage,
        service: "redis",
        command: [
          "prometheus-redis-exporter",
          "--redis.addr=redis://redis:6379",
          "--redis.password-file=/run/secrets/passwords.json",
        ],
        port: 9121,
        secrets: {
          "passwords.json": this.password.apply((password) =>
            JSON.stringify({ "redis://redis:6379": password }),
          ),
        },
        network: "data",
      },
      { parent: this, dependsOn: [this.ready] },
    );
    this.registerOutputs({});
  }
}

/** Durable to one second of writes, which is what `appendfsync everysec` promises. */
function redisConf(config: RedisConfig): string {
  return [
    "port 6379",
    "dir /data",
    "appendonly yes",
    "appendfsync everysec",
    `maxmemory ${config.maxmemory}mb`,
    `maxmemory-policy ${config.maxmemoryPolicy}`,
    "aclfile /run/secrets/users.acl",
    "",
  ].join("\n");
}
