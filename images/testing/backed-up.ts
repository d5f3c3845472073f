import type { Manifest } from "../../backup/manifest";
import type { AgentSettings } from "../../backup/settings";
import { TARGET_ROOT, TARGETS } from "../../backup/restore/targets";
import type { RepositoryConfig } from "../../config";
import { runAgent, type AgentRun } from "./agent-run";
import { repositoryKeys, type RepositoryKeys } from "./repository-keys";
import { eventually, Sandbox, serviceImage } from "./sandbox";
import { startSftpHost } from "./sftp-host";

/** Capabilities of the agent, beside a stack and where it restores. */
const CAPABILITIES = ["CHOWN", "DAC_OVERRIDE", "FOWNER", "SETGID", "SETUID"];

const POSTGRES = "999:999";

type Volume =
  "pgdata" | "socket" | "repository" | "scratch" | "keys" | "secrets" | "settings" | "stack" | "redis" | "mlflow" | "app-data" | "app-models"; // prettier-ignore

/** Mounts of the container that restores, beside its targets. */
const FOR_RESTORES: Readonly<Partial<Record<Volume, string>>> = {
  repository: "/backup",
  keys: "/run/backup:ro",
  settings: "/etc/mlops:ro",
};

/** What a test may want otherwise. */
export interface WorldOptions {
  /** Size of the repository, which is in memory then. @default as large as the disk */
  readonly repositoryMebibytes?: number;
  /** Whether something answers for MLflow, without which no set is complete. @default false */
  readonly hasMlflow?: boolean;
  /** Whether the repository is on another host. @default false */
  readonly isAtSftp?: boolean;
}

/** What belongs to each target. */
const TARGET_VOLUMES: Readonly<Record<(typeof TARGETS)[number]["name"], Volume>> = {
  postgres: "pgdata",
  mlflow: "mlflow",
  redis: "redis",
  "app-data": "app-data",
  "app-models": "app-models",
};

/**
 * Postgres and Redis with data, and an agent beside them that is mounted and hardened as in a stack.
 */
export class BackedUp {
  private readonly containers: string[] = [];

  private constructor(
    private readonly sandbox: Sandbox,
    readonly images: Readonly<Record<"backup" | "postgres" | "redis", string>>,
    private readonly volumes: Readonly<Record<Volume, string>>,
    private readonly prefix: string,
    private readonly repository: RepositoryConfig,
  ) {}

  static async create(
    stack: string,
    { repositoryMebibytes, hasMlflow = false, isAtSftp = false }: WorldOptions = {},
  ): Promise<BackedUp> {
    const sandbox = new Sandbox();
    const images = {
      backup: await serviceImage("backup"),
      postgres: await serviceImage("postgres"),
      redis: await serviceImage("redis"),
    };
    const settings: AgentSettings = {
      stack,
      schedule: "",
      drillSchedule: "",
      retention: { daily: 7, weekly: 4, monthly: 6 },
      verifyPercent: 100,
    };
    const files = (content: Readonly<Record<string, string>>, mode?: string): Promise<string> =>
      sandbox.files({ image: images.backup, user: POSTGRES }, content, mode);
    const empty = (purpose: string): Promise<string> => sandbox.volume(purpose);
    const prefix = await empty("pgdata");
    await sandbox.docker(["network", "create", prefix]);
    const host = { sandbox, name: `${prefix}-sftp`, network: prefix, image: images.backup };
    const repository = isAtSftp ? await startSftpHost(host) : ({ type: "volume" } as const);
    const volumes = {
      pgdata: prefix,
      socket: await empty("socket"),
      repository: await sandbox.volume("repository", repositoryMebibytes),
      scratch: await empty("scratch"),
      redis: await empty("redis"),
      mlflow: await empty("mlflow"),
      "app-data": await empty("app-data"),
      "app-models": await empty("app-models"),
      keys: await files(repositoryKeys(stack, repository)),
      secrets: await files({ postgres_password: "postgres-of-a-test", redis_password: "redis" }),
      settings: await files({ "backup.json": JSON.stringify(settings) }, "0444"),
      stack: await files(
        { "stack.json": JSON.stringify({ stack, version: "v1", images: {}, config: {} }) },
        "0444",
      ),
    };
    const world = new BackedUp(sandbox, images, volumes, prefix, repository);
    if (isAtSftp) world.containers.push(host.name);
    try {
      await world.start(volumes);
      if (hasMlflow) await world.startMlflow();
    } catch (error) {
      await world.remove();
      throw error;
    }
    return world;
  }

  private async start(volumes: Readonly<Record<Volume, string>>): Promise<void> {
    // What is in memory is there only while a container has it.
    await this.container("agent", this.images.backup, ["sleep", "infinity"], {
      capabilities: CAPABILITIES,
      user: "0:0",
      volumes: {
        "/var/lib/postgresql/data:ro": volumes.pgdata,
        "/run/postgresql": volumes.socket,
        "/source/redis:ro": volumes.redis,
        "/source/mlflow:ro": volumes.mlflow,
        "/source/app/data:ro": volumes["app-data"],
        "/source/app/models:ro": volumes["app-models"],
        "/source/stack:ro": volumes.stack,
        "/backup": volumes.repository,
        "/scratch": volumes.scratch,
        "/run/backup:ro": volumes.keys,
        "/run/secrets:ro": volumes.secrets,
        "/etc/mlops:ro": volumes.settings,
      },
    });
    const sourceOwner = "10001:10001";
    await this.shell(
      [
        "install -d -o 999 -g 999 -m 0750 /r/pgbackrest",
        "mkdir /m/1 && echo artifact > /m/1/model.bin",
        "echo data > /d/file && chmod 0640 /d/file",
        `chown -R ${sourceOwner} /m /d && chmod 0750 /m`,
      ].join(" && "),
      "",
      { "/r": volumes.repository, "/m": volumes.mlflow, "/d": volumes["app-data"] },
    );
    await Promise.all([this.startPostgres(), this.startRedis()]);
  }

  /** Starts Postgres, or starts it again on what was restored, and waits until it answers. */
  async startPostgres(): Promise<void> {
    const name = this.name("postgres");
    if (this.containers.includes(name)) await this.sandbox.docker(["start", name]);
    else
      await this.container(
        "postgres",
        this.images.postgres,
        ["postgres", "-c", "archive_mode=on", "-c", "archive_timeout=60"],
        {
          user: POSTGRES,
          volumes: {
            "/var/lib/postgresql/data": this.volumes.pgdata,
            "/run/postgresql": this.volumes.socket,
            "/backup": this.volumes.repository,
            "/run/backup:ro": this.volumes.keys,
            "/run/secrets:ro": this.volumes.secrets,
          },
          environment: {
            PGDATA: "/var/lib/postgresql/data/pgdata",
            POSTGRES_PASSWORD_FILE: "/run/secrets/postgres_password",
            POSTGRES_INITDB_ARGS: "--data-checksums --auth-host=scram-sha-256 --auth-local=peer",
          },
        },
      );
    await this.sandbox.healthy(name, "pg_isready", "--quiet", "--host=127.0.0.1");
  }

  /** Starts what answers to MLflow's health check, and does nothing else. */
  private async startMlflow(): Promise<void> {
    const server = 'require("http").createServer((_, answer) => answer.end("OK")).listen(5000)';
    await this.container("mlflow", this.images.backup, ["node", "--eval", server], {
      user: "10001:10001",
      volumes: {},
    });
    const probe = "busybox wget -q -O /dev/null http://127.0.0.1:5000/health".split(" ");
    await this.sandbox.healthy(this.name("mlflow"), ...probe);
  }

  /** Starts Redis, or starts it again. */
  async startRedis(): Promise<void> {
    const name = this.name("redis");
    if (this.containers.includes(name)) await this.sandbox.docker(["start", name]);
    else
      await this.container(
        "redis",
        this.images.redis,
        "redis-server --appendonly yes --dir /data --requirepass redis".split(" "),
        { user: "999:1000", volumes: { "/data": this.volumes.redis } },
      );
    await this.sandbox.healthy(name, "redis-cli", "-a", "redis", "--no-auth-warning", "ping");
  }

  /** Stops what writes into the volumes, as a switch needs it. */
  async stop(...services: readonly string[]): Promise<void> {
    const names = (services.length === 0 ? ["postgres", "redis"] : services).map(this.name);
    await this.sandbox.docker(["stop", "--time=30", ...names]);
  }

  /** Runs SQL in Postgres' own container. */
  async sql(database: string, statement: string): Promise<string> {
    return this.sandbox.docker(
      [
        ..."exec --interactive --user=postgres".split(" "),
        this.name("postgres"),
        ..."psql --no-psqlrc --quiet --tuples-only --no-align --set=ON_ERROR_STOP=1".split(" "),
        `--dbname=${database}`,
      ],
      statement,
    );
  }

  /** Runs a command of Redis. */
  async redis(...command: readonly string[]): Promise<string> {
    const { output } = await this.sandbox.exec(
      this.name("redis"),
      ..."redis-cli -a redis --no-auth-warning".split(" "),
      ...command,
    );
    return output;
  }

  /** Runs a command of the agent that is beside the stack. */
  agent(...command: readonly string[]): Promise<AgentRun> {
    return runAgent(["exec", this.name("agent"), "agent", ...command]);
  }

  /** Makes a set, which may be incomplete. */
  async backUp(): Promise<Manifest> {
    const { events, stderr } = await this.agent("backup");
    const manifest = events.at(-1)?.["manifest"] as Manifest | undefined;
    if (manifest?.verified !== true) throw new Error(`no verified set was made: ${stderr}`);
    return manifest;
  }

  /** Begins a backup, and kills all of it while it copies the cluster or later. */
  async killBackup(): Promise<void> {
    const running = this.agent("backup");
    await this.inAgent("the backup copies the cluster", "pgrep -f -- '--type=ful[l]'");
    await this.killAgent();
    await running;
  }

  /** Lets no set go until the end, as a drill does: tests may run past midnight. */
  async keepSets(): Promise<void> {
    const hold = "flock --shared /backup/removal.lock sleep infinity".split(" ");
    await this.sandbox.docker(["exec", "--detach", this.name("agent"), ...hold]);
  }

  /** Waits until a shell command succeeds in the agent's container. */
  async inAgent(what: string, command: string): Promise<void> {
    await eventually(what, async () => {
      const { exitCode } = await this.sandbox.exec(this.name("agent"), "sh", "-c", command);
      return exitCode === 0 ? true : undefined;
    });
  }

  /** Kills all that runs in the agent's container, and starts it again. */
  async killAgent(): Promise<void> {
    await this.sandbox.docker(["kill", "--signal=KILL", this.name("agent")]);
    await this.sandbox.docker(["start", this.name("agent")]);
  }

  /** Ends the segment of the log that is written, waits until it is archived, and returns its name. */
  async switchLog(): Promise<string> {
    const segment =
      (
        await this.sql(
          "postgres",
          "SELECT pg_walfile_name(pg_current_wal_lsn()); SELECT pg_switch_wal()",
        )
      ).split("\n")[0] ?? "";
    await eventually(`${segment} is archived`, async () => {
      const archived = await this.sql("postgres", "SELECT last_archived_wal FROM pg_stat_archiver");
      return archived.trim() >= segment ? true : undefined;
    });
    return segment;
  }

  /** Digest of all that is live in volumes. @param volumes nobody may write to them meanwhile. */
  digest(volumes: readonly Volume[] = Object.values(TARGET_VOLUMES)): Promise<string> {
    const roots = volumes.map((name) => `/v/${name}`);
    return this.shell(
      `find ${roots.join(" ")} -name .restore -prune -o -type f -print0 | sort -z | xargs -0 sha256sum | sha256sum`,
    );
  }

  /** Begins a restore, and kills all of it as soon as a file is there. */
  async killRestore(command: readonly string[], file: string): Promise<void> {
    const name = this.name("killed");
    const running = runAgent(this.restorer(command, {}, [`--name=${name}`]));
    await eventually(`${file} is there`, async () => {
      const { exitCode } = await this.sandbox.exec(name, "test", "-e", file);
      return exitCode === 0 ? true : undefined;
    });
    await this.sandbox.docker(["kill", "--signal=KILL", name]);
    await running;
  }

  /** Runs a command of the agent that is killed before its n-th rename of a file. */
  async killAtRename(command: readonly string[], count: number): Promise<void> {
    const killer = await this.sandbox.files(
      { image: this.images.backup, user: "0:0" },
      { "kill.cjs": killerAt(count) },
    );
    const { exitCode, stderr } = await runAgent(
      this.restorer(command, { "/kill:ro": killer }, [
        "--env=NODE_OPTIONS=--require=/kill/kill.cjs",
      ]),
    );
    if (exitCode !== 137) throw new Error(`it was not killed (exit code ${exitCode}): ${stderr}`);
  }

  /** Arguments that run a command of the agent in a container of its own with all volumes to write. */
  restorer(
    command: readonly string[],
    changes: Readonly<Record<string, string>> = {},
    more: readonly string[] = [],
  ): string[] {
    const mounts = Object.entries(FOR_RESTORES).map(([volume, path]): [string, string] => [
      path,
      this.volumes[volume as Volume],
    ]);
    const targets = TARGETS.map(({ name }): [string, string] => [
      `${TARGET_ROOT}/${name}`,
      this.volumes[TARGET_VOLUMES[name]],
    ]);
    const volumes = { ...Object.fromEntries([...mounts, ...targets]), ...changes };
    return [
      "run",
      "--rm",
      `--network=${this.repository.type === "sftp" ? this.prefix : "none"}`,
      ...hardening(CAPABILITIES, "0:0", volumes),
      ...more,
      this.images.backup,
      "agent",
      ...command,
    ];
  }

  /** Runs a command of the agent in such a container. */
  restore(
    command: readonly string[],
    changes: Readonly<Record<string, string>> = {},
  ): Promise<AgentRun> {
    return runAgent(this.restorer(command, changes));
  }

  /** Runs a shell script as root on volumes, and returns what it printed. */
  shell(
    script: string,
    input = "",
    volumes: Readonly<Record<string, string>> = this.allVolumes(),
  ): Promise<string> {
    return this.sandbox.docker(
      [
        ..."run --rm --interactive --network=none --user=0:0".split(" "),
        ...Object.entries(volumes).map(([path, volume]) => `--volume=${volume}:${path}`),
        this.images.backup,
        "sh",
        "-euc",
        script,
      ],
      input,
    );
  }

  /** A new volume, which is removed with the rest; in memory where it has a size. */
  volume(purpose: string, mebibytes?: number): Promise<string> {
    return this.sandbox.volume(purpose, mebibytes);
  }

  /** A volume with keys and configuration of the tools; what is not named is as it was. */
  keys(stack: string, keys: Partial<RepositoryKeys>): Promise<string> {
    const files = repositoryKeys(stack, this.repository, keys);
    return this.sandbox.files({ image: this.images.backup, user: POSTGRES }, files);
  }

  async remove(): Promise<void> {
    if (this.containers.length > 0)
      await this.sandbox.docker(["rm", "--force", "--volumes", ...this.containers]);
    await this.sandbox.docker(["network", "rm", this.prefix]).catch(() => undefined);
    await this.sandbox.remove();
  }

  private allVolumes(): Record<string, string> {
    return Object.fromEntries(
      Object.entries(this.volumes).map(([name, volume]) => [`/v/${name}`, volume]),
    );
  }

  private readonly name = (service: string): string => `${this.prefix}-${service}`;

  private async container(
    service: string,
    image: string,
    command: readonly string[],
    options: {
      readonly user: string;
      readonly volumes: Readonly<Record<string, string>>;
      readonly capabilities?: readonly string[];
      readonly environment?: Readonly<Record<string, string>>;
    },
  ): Promise<void> {
    this.containers.push(this.name(service));
    await this.sandbox.docker([
      ...["run", "--detach", `--name=${this.name(service)}`],
      ...[`--network=${this.prefix}`, `--network-alias=${service}`],
      ...Object.entries(options.environment ?? {}).map(([key, value]) => `--env=${key}=${value}`),
      ...hardening(options.capabilities ?? [], options.user, options.volumes),
      image,
      ...command,
    ]);
  }
}

/** A module that lets a process rename so many files, and kills it then. */
const killerAt = (count: number): string => `
  const promises = require("node:fs/promises");
  const { rename } = promises;
  let left = ${count};
  promises.rename = (...args) => {
    if (left === 0) process.kill(process.pid, "SIGKILL");
    left -= 1;
    return rename(...args);
  };
`;

function hardening(
  capabilities: readonly string[],
  user: string,
  volumes: Readonly<Record<string, string>>,
): string[] {
  return [
    ..."--init --read-only --cap-drop=ALL --security-opt=no-new-privileges".split(" "),
    "--tmpfs=/tmp:rw,nosuid,nodev,size=256m,mode=1777",
    `--user=${user}`,
    ...capabilities.map((capability) => `--cap-add=${capability}`),
    ...Object.entries(volumes).map(([path, volume]) => `--volume=${volume}:${path}`),
  ];
}
