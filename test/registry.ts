import assert from "node:assert/strict";
import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { hash } from "bcryptjs";
import { stringify } from "yaml";
import { createContext } from "../cli/context";
import { runProgram as run } from "../cli/exec";
import { withLock } from "../cli/lock";
import { aptUnpack } from "../cli/setup/apt";
import { findPrograms, searchPath } from "../cli/setup/programs";
import { runStep } from "../cli/step";
import { freePorts } from "../cli/ports";
import { docker, runProgram } from "./sandbox";

const START_TIMEOUT_MS = 30_000;

/** The program of the registry: the system's own, or unpacked from Debian's package. */
async function registryProgram(): Promise<string> {
  const context = createContext(process.cwd(), process.env);
  const [installed] = await findPrograms("docker-registry", searchPath(process.env));
  if (installed !== undefined) return installed;
  const folder = join(context.cacheDir, "docker-registry");
  await withLock(context, "docker-registry-package", async () => {
    if (existsSync(folder)) return;
    const retry = "./mlops test --only integration";
    const request = { name: "docker-registry", title: "Fetching docker-registry", retry };
    await runStep(context, request, (step) => aptUnpack(step, "docker-registry", folder));
  });
  return join(folder, "usr", "bin", "docker-registry");
}

/**
 * A real registry on a free port of the loopback address, which wants a login. Its images, users and
 * the login of the Docker client are in a folder of its own.
 */
export class Registry {
  readonly user = "alice";
  readonly password = "correct horse";
  /** Its address: `127.0.0.1:PORT`. */
  readonly host: string;
  /** What the key `registry` and the variable `REGISTRY` are set to. */
  readonly path: string;
  /** Variables with which the Docker client uses the folder of {@link login}. */
  readonly env: Readonly<Record<string, string>>;
  private process: ChildProcess | undefined;
  private log = "";

  private constructor(
    private readonly program: string,
    private readonly folder: string,
    port: number,
  ) {
    this.host = `127.0.0.1:${port}`;
    this.path = `${this.host}/team`;
    this.env = { REGISTRY: this.path, DOCKER_CONFIG: join(folder, "client") };
  }

  /** Starts one. */
  static async create(): Promise<Registry> {
    const program = await registryProgram();
    const [port = 0] = await freePorts(1);
    const registry = new Registry(program, mkdtempSync(join(tmpdir(), "mlops-registry-")), port);
    await registry.configure();
    await registry.start();
    return registry;
  }

  private async configure(): Promise<void> {
    mkdirSync(join(this.folder, "client"));
    const users = join(this.folder, "htpasswd");
    writeFileSync(users, `${this.user}:${await hash(this.password, 4)}\n`);
    const config = {
      version: "0.1",
      storage: { filesystem: { rootdirectory: join(this.folder, "images") } },
      http: { addr: this.host },
      auth: { htpasswd: { realm: "test", path: users } },
    };
    writeFileSync(join(this.folder, "config.yml"), stringify(config));
  }

  /** Starts it, or starts it again with the images it had. */
  async start(): Promise<void> {
    const child = spawn(this.program, ["serve", join(this.folder, "config.yml")], {
      cwd: this.folder,
      stdio: ["ignore", "pipe", "pipe"],
    });
    this.process = child;
    for (const stream of [child.stdout, child.stderr])
      stream.setEncoding("utf8").on("data", (text: string) => (this.log += text));
    const deadline = Date.now() + START_TIMEOUT_MS;
    const answers = (): Promise<boolean> =>
      fetch(`http://${this.host}/v2/`).then(
        ({ status }) => status === 401,
        () => false,
      );
    while (!(await answers())) {
      assert.ok(child.exitCode === null && Date.now() < deadline, `no registry:\n${this.log}`);
      await delay(50);
    }
  }

  /** Stops it; its images stay. */
  async stop(): Promise<void> {
    const child = this.process;
    this.process = undefined;
    if (child === undefined) return;
    const ended = once(child, "exit");
    child.kill();
    await ended;
  }

  /** Logs in as a user does, with the Docker client's own folder of {@link env}. */
  async login(): Promise<void> {
    const args = ["login", this.host, "--username", this.user, "--password-stdin"];
    await run("docker", args, { env: this.env, input: this.password });
  }

  /** Keeps a login that the registry does not accept any more, as after a changed password. */
  keepOldLogin(): void {
    const auth = Buffer.from(`${this.user}:old`).toString("base64");
    const auths = { [this.host]: { auth } };
    writeFileSync(join(this.folder, "client", "config.json"), JSON.stringify({ auths }));
  }

  /** Logs out again. */
  logout(): void {
    rmSync(join(this.folder, "client", "config.json"), { force: true });
  }

  /** Stops it and removes all it had, and what this host has of it. */
  async remove(): Promise<void> {
    await this.stop();
    const references = await docker(
      "images",
      "--format={{.Repository}}:{{.Tag}} {{.ID}}",
      `${this.path}/*`,
    );
    for (const line of references) {
      const [name = "", id = ""] = line.split(" ");
      await runProgram("docker", ["image", "rm", name.endsWith(":<none>") ? id : name]);
    }
    rmSync(this.folder, { recursive: true, force: true });
  }
}
