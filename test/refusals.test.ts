import assert from "node:assert/strict";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { connect, type TLSSocket } from "node:tls";
import { after, before, describe, it } from "node:test";
import { exampleOf } from "../cli/commands/predict";
import { dockerClient } from "../cli/docker";
import type { Fault } from "../cli/drill/releases";
import { PublicApi } from "../cli/public-api";
import { FaultyReleases } from "./faulty-releases";
import { docker, runProgram, Sandbox, type Ended } from "./sandbox";

/** Seconds that the containers of a release have here: enough for one that works, also when busy. */
const GATE_TIMEOUT = 45;

void describe("a release that must not go live", () => {
  let sandbox: Sandbox;
  let api: PublicApi;
  let traffic: Traffic;
  let images: FaultyReleases;
  const tagOf = (name: string): string => images.tagOf(name);
  const deploy = (tag: string, env: Readonly<Record<string, string>> = {}): Promise<Ended> =>
    sandbox.run(["deploy", tag, "--stack", sandbox.stack, "--yes"], env);
  const appContainers = (): Promise<string[]> =>
    docker(
      ...["ps", "--all", "--format", "{{.Names}} {{.State}}"],
      ...["--filter", `label=mlops.stack=${sandbox.stack}`, "--filter", "label=mlops.service=app"],
    );
  const liveVersion = async (): Promise<unknown> =>
    (JSON.parse((await api.send("/health/ready")).body) as { version?: unknown }).version;

  /** What every red release has in common. */
  const assertRefused = async ({ exitCode, output }: Ended, cause: RegExp): Promise<void> => {
    assert.notEqual(exitCode, 0, output);
    assert.match(output, cause);
    assert.match(output, new RegExp(`${tagOf("good")} serves as before|[Nn]othing was changed`));
    assert.equal(await liveVersion(), tagOf("good"));
    const containers = await appContainers();
    assert.equal(containers.length, 1, `left behind: ${containers.join(", ")}`);
    traffic.assertServed();
  };

  before(async () => {
    sandbox = await Sandbox.create("staging", { gateTimeout: String(GATE_TIMEOUT) });
    images = new FaultyReleases(sandbox);
    const first = await deploy(await images.build("good", "none"));
    assert.equal(first.exitCode, 0, first.output);
    await sandbox.succeed("train");
    const { url } = JSON.parse((await sandbox.succeed("status", "--json")).stdout) as {
      url?: string;
    };
    assert.equal(url, undefined);
    const output = await sandbox.run(["up", "--stack", sandbox.stack, "--json"], {
      TAG: tagOf("good"),
    });
    const { outputs } = JSON.parse(output.stdout) as { outputs: { url: string } };
    api = await PublicApi.at(await dockerClient(), { url: outputs.url, stack: sandbox.stack });
    traffic = new Traffic(api);
  });
  after(async () => {
    await traffic.stop();
    await sandbox.remove();
    await images.remove();
  });

  const faults: readonly [Fault, RegExp][] = [
    ["unhealthy", /still not healthy after \d+ s .*never healthy[\s\S]+last lines of its log/],
    ["crash-loop", /ended with exit code[\s\S]+it was built to crash/],
    ["slow-load", /still not healthy after \d+ s \(gateTimeout\)/],
    ["wrong-version", /was answered by version "v0\.0\.0-another", not/],
    ["wrong-answer", /answers the recorded question of model reference version 1 with/],
    ["failed-migration", /app-migrate: .*[\s\S]*a_table_that_is_not_there/],
  ];
  for (const [fault, cause] of faults)
    void it(`${fault}: is refused while the one before serves`, async () => {
      await assertRefused(await deploy(await images.build(fault, fault)), cause);
    });

  void it("a tag that is not there: is refused before anything is touched", async () => {
    const ended = await deploy(tagOf("missing"));
    assert.notEqual(ended.exitCode, 0);
    assert.match(ended.output, /mlops-app:missing.* is not on this Docker host/);
    traffic.assertServed();
  });

  void it("a tag that was another image before: is refused with both images named", async () => {
    const tag = tagOf("good");
    const [before] = await docker("image", "inspect", "--format", "{{.Id}}", `mlops-app:${tag}`);
    await docker("tag", `mlops-app:${tagOf("failed-migration")}`, `mlops-app:${tag}`);
    const [now] = await docker("image", "inspect", "--format", "{{.Id}}", `mlops-app:${tag}`);
    const ended = await deploy(tag);
    await docker("tag", before ?? "", `mlops-app:${tag}`);
    assert.notEqual(ended.exitCode, 0);
    assert.ok(ended.output.includes(before ?? "?") && ended.output.includes(now ?? "?"));
    traffic.assertServed();
  });

  void it("a registry that is down: is refused before anything is touched", async () => {
    const ended = await deploy(tagOf("remote"), { REGISTRY: "127.0.0.1:9/team" });
    assert.notEqual(ended.exitCode, 0);
    assert.match(ended.output, /127\.0\.0\.1:9/);
    traffic.assertServed();
  });

  void it("a configuration that nginx does not take: is refused, nginx serves with the old", async () => {
    const file = join(sandbox.root, "components", "nginx-config.ts");
    const source = await readFile(file, "utf8");
    await writeFile(file, source.replace("proxy_http_version 1.1;", "proxy_http_version 9;"));
    const ended = await deploy(tagOf("good"));
    await writeFile(file, source);
    assert.notEqual(ended.exitCode, 0);
    assert.match(ended.output, /nginx refuses its new configuration/);
    assert.match(ended.output, /invalid value "9"/);
    assert.equal(await liveVersion(), tagOf("good"));
    traffic.assertServed();
  });

  void it("a database that does not take the app's password: the migration says so", async () => {
    const sql = (statement: string): Promise<string[]> =>
      docker(
        ...["exec", "--user", "postgres", `mlops-${sandbox.stack}-postgres`],
        ...["psql", "--quiet", "--no-align", "--tuples-only", "--command", statement],
      );
    const [hash] = await sql("SELECT rolpassword FROM pg_authid WHERE rolname = 'mlops'");
    await sql("ALTER ROLE mlops PASSWORD 'another'");
    const ended = await deploy(await images.build("password", "none"));
    await sql(`ALTER ROLE mlops PASSWORD '${hash ?? ""}'`);
    await assertRefused(ended, /cannot connect to Postgres[\s\S]*password/);
  });

  void it("a disk that is full: is refused before anything is touched", async (test) => {
    if (process.getuid?.() !== 0) {
      test.skip("needs root to mount a small file system");
      return;
    }
    const disk = join(sandbox.root, "disk");
    const cache = join(sandbox.root, "small");
    await mkdir(cache);
    for (const [program, ...args] of [
      ["truncate", "--size", "32M", disk],
      ["mkfs.ext4", "-q", disk],
      ["mount", "-o", "loop", disk, cache],
    ] as const) {
      const { exitCode, output } = await runProgram(program, args);
      assert.equal(exitCode, 0, output);
    }
    const ended = await deploy(tagOf("password"), { XDG_CACHE_HOME: cache });
    await runProgram("umount", [cache]);
    assert.notEqual(ended.exitCode, 0);
    assert.match(ended.output, /GiB are free/);
    traffic.assertServed();
  });

  void it("does not stand in the way of the next that works, by plain pulumi, nor of going back", async () => {
    const tag = await images.build("next", "none");
    const { rows } = await exampleOf(api, sandbox.stack);
    const upload = new SlowUpload(api, JSON.stringify({ rows }));
    const next = await sandbox.pulumi(["up", "--yes", "--skip-preview"], { TAG: tag });
    assert.equal(next.exitCode, 0, next.output);
    assert.equal(await liveVersion(), tagOf("next"));
    assert.match(
      await upload.finish(),
      /^HTTP\/1\.1 200 /,
      "begun before the switch, sent after it",
    );
    const failed = await sandbox.run([
      ...["rollback", tagOf("unhealthy"), "--stack", sandbox.stack, "--yes"],
    ]);
    assert.notEqual(failed.exitCode, 0);
    assert.match(failed.output, /never passed its gate/);
    const back = await sandbox.succeed("rollback", "--yes");
    assert.equal(await liveVersion(), tagOf("good"), back.output);
    traffic.assertServed();
  });

  void it("is in the ledger as what it was", async () => {
    const { releases } = JSON.parse((await sandbox.succeed("releases", "--json")).stdout) as {
      releases: { tag: string; passed: boolean; gate?: { probes: number; golden: string } }[];
    };
    const passed = (name: string): boolean[] =>
      releases.filter(({ tag }) => tag === tagOf(name)).map((release) => release.passed);
    assert.deepEqual(passed("wrong-answer"), [false]);
    assert.deepEqual(passed("next"), [true]);
    assert.deepEqual(releases[0]?.tag, tagOf("good"));
    assert.deepEqual(releases[0].gate, { probes: 20, golden: "passed" });
  });
});

/** A request whose body takes as long as a deployment. */
class SlowUpload {
  private static readonly PADDING = 200;
  private readonly socket: TLSSocket;
  private readonly answer: Promise<string>;
  private readonly trickle: NodeJS.Timeout;
  private sent = 0;

  constructor(
    { url }: PublicApi,
    private readonly body: string,
  ) {
    const { hostname, port, host } = new URL(url);
    this.socket = connect({ host: hostname, port: Number(port), rejectUnauthorized: false });
    this.answer = text(this.socket);
    this.socket.write(
      `POST /predict HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n` +
        `Content-Type: application/json\r\nContent-Length: ${SlowUpload.PADDING + body.length}\r\n\r\n`,
    );
    // nginx gives a body up that says nothing for 60 s.
    this.trickle = setInterval(() => {
      this.send(" ");
    }, 5000);
  }

  /** Sends the rest, and returns what was answered. */
  async finish(): Promise<string> {
    clearInterval(this.trickle);
    this.send(" ".repeat(SlowUpload.PADDING - this.sent) + this.body);
    return this.answer;
  }

  private send(part: string): void {
    this.sent += part.length;
    this.socket.write(part);
  }
}

/** Requests one after the other, as long as it runs. */
class Traffic {
  private readonly failures: string[] = [];
  private answers = 0;
  private running = true;
  private readonly ended: Promise<void>;

  constructor(private readonly api: PublicApi) {
    this.ended = this.run();
  }

  /** Nothing failed since the last time this was asked, and there were requests at all. */
  assertServed(): void {
    assert.deepEqual(this.failures.splice(0), []);
    assert.ok(this.answers > 0);
    this.answers = 0;
  }

  async stop(): Promise<void> {
    this.running = false;
    await this.ended;
  }

  private async run(): Promise<void> {
    while (this.running) {
      try {
        const { status, body } = await this.api.send("/health/ready");
        if (status === 200) this.answers += 1;
        else this.failures.push(`${status} ${body.slice(0, 100)}`);
      } catch (error) {
        this.failures.push(String(error));
      }
    }
  }
}
