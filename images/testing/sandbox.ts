import { execFile, spawn } from "node:child_process";
import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { setTimeout as delay } from "node:timers/promises";
import { buildCommand, contextHash } from "../../components/image-build";

/** What a program left behind. */
export interface Result {
  /** Standard output, and standard error after it. */
  readonly output: string;
  readonly exitCode: number;
}

/** A hardened container to run, as the stack runs it. */
export interface RunOptions {
  readonly image: string;
  /** `uid:gid` */
  readonly user: string;
  /** Program to run instead of the image's entrypoint. @default the image's own */
  readonly entrypoint?: string;
  /** Command and arguments. @default the image's own */
  readonly command?: readonly string[];
  /** @default none */
  readonly environment?: Readonly<Record<string, string>>;
  /** Writable volumes by mount path. @default none */
  readonly volumes?: Readonly<Record<string, string>>;
  /** Read-only volumes by mount path. @default none */
  readonly files?: Readonly<Record<string, string>>;
  /** Mount paths of tmpfs beside `/tmp`. @default none */
  readonly tmpfs?: readonly string[];
  /** Name on the sandbox's network, which the container joins only then. @default none */
  readonly alias?: string;
  /** Container port to publish on a free port of the loopback interface. @default none */
  readonly publish?: number;
}

/** Runs a program. The exit code is the caller's to judge. */
function run(program: string, args: readonly string[], input = ""): Promise<Result> {
  return new Promise((resolve, reject) => {
    const env = { ...process.env, DOCKER_BUILDKIT: "1" };
    const child = execFile(program, args, { env, maxBuffer: 2 ** 26 }, (error, stdout, stderr) => {
      const exitCode = error === null ? 0 : error.code;
      if (typeof exitCode === "number")
        resolve({ output: `${stdout}${stderr}`.trimEnd(), exitCode });
      else reject(new Error(`${program} did not run`, { cause: error }));
    });
    // A client that is not asked to read its input may close it before this writes; whether that
    // is a failure, the exit code says.
    child.stdin?.on("error", () => undefined).end(input);
  });
}

/** Runs a program that must succeed, and returns its output. */
async function succeed(program: string, args: readonly string[], input = ""): Promise<string> {
  const { output, exitCode } = await run(program, args, input);
  if (exitCode === 0) return output;
  throw new Error(`${program} ${args.join(" ")}: exit code ${exitCode}\n${output}`);
}

const BUNDLE = 'require("./bin/bundle.cjs").bundle("agent")';

/**
 * Image of `images/<name>`, built under the reference that the stack gives it.
 *
 * @throws Error if the build fails.
 */
export async function serviceImage(name: string): Promise<string> {
  const context = `images/${name}`;
  // What is bundled into an image has to be there before the folder's hash is taken.
  if (name === "backup") await succeed(process.execPath, ["--eval", BUNDLE]);
  const reference = `mlops-${name}:${contextHash(context)}`;
  await succeed("sh", ["-c", buildCommand({ context, reference })]);
  return reference;
}

/**
 * Waits until `check` gives a value.
 *
 * @param what what is awaited, for the error.
 * @param seconds how long to wait at most. @default 60
 * @throws Error when the time is over.
 */
export async function eventually<T>(
  what: string,
  check: () => Promise<T | undefined>,
  seconds = 60,
): Promise<T> {
  const end = Date.now() + seconds * 1000;
  for (;;) {
    const value = await check();
    if (value !== undefined) return value;
    if (Date.now() > end) throw new Error(`Not within ${seconds} s: ${what}`);
    await delay(100);
  }
}

/** Containers, volumes and a network of one test, under names of its own, all removed by `remove`. */
export class Sandbox {
  readonly #prefix = `imgtest-${randomUUID().slice(0, 8)}`;
  readonly #containers: string[] = [];
  readonly #volumes: string[] = [];
  #network: string | undefined;

  /** Runs a docker command that must succeed, and returns its output. */
  docker(args: readonly string[], input = ""): Promise<string> {
    return succeed("docker", args, input);
  }

  /** Runs a shell script that must succeed, and returns its output. */
  shell(script: string): Promise<string> {
    return succeed("sh", ["-c", script]);
  }

  /**
   * An empty volume.
   *
   * @param mebibytes its size, for one in memory that is there while a container has it. @default
   *   a part of the disk
   */
  async volume(purpose: string, mebibytes?: number): Promise<string> {
    const name = `${this.#prefix}-${purpose}-${this.#volumes.length}`;
    const options =
      mebibytes === undefined ? [] : ["type=tmpfs", "device=tmpfs", `o=size=${mebibytes}m`];
    await this.docker(["volume", "create", ...options.map((option) => `--opt=${option}`), name]);
    this.#volumes.push(name);
    return name;
  }

  /** A volume with the given files, readable only by `options.user`. */
  async files(
    options: Pick<RunOptions, "image" | "user">,
    files: Readonly<Record<string, string>>,
    mode = "0400",
  ): Promise<string> {
    const volume = await this.volume("files");
    for (const [name, content] of Object.entries(files)) {
      const write = `cat >/files/${name} && chmod ${mode} /files/${name} && chown ${options.user} /files /files/${name}`;
      const mount = ["--volume", `${volume}:/files`, "--entrypoint", "sh"];
      await this.docker(
        ["run", "--rm", "--interactive", "--user", "0", ...mount, options.image, "-c", write],
        content,
      );
    }
    return volume;
  }

  /** Starts a container and returns its name. */
  async start(options: RunOptions): Promise<string> {
    const name = `${this.#prefix}-${this.#containers.length}`;
    this.#containers.push(name);
    await this.docker([
      "run",
      "--detach",
      `--name=${name}`,
      ...(await this.#arguments(options)),
      options.image,
      ...(options.command ?? []),
    ]);
    return name;
  }

  /** Runs a container to its end. */
  async once(options: RunOptions): Promise<Result> {
    return run("docker", [
      "run",
      "--rm",
      ...(await this.#arguments(options)),
      options.image,
      ...(options.command ?? []),
    ]);
  }

  /** Runs a container to its end with its output where this program's goes; returns its exit code. */
  async stream(options: RunOptions): Promise<number> {
    const args = await this.#arguments(options);
    const child = spawn(
      "docker",
      ["run", "--rm", ...args, options.image, ...(options.command ?? [])],
      { stdio: ["ignore", "inherit", "inherit"] },
    );
    const [exitCode] = (await once(child, "close")) as [number | null];
    return exitCode ?? 1;
  }

  /** Runs a command in a container. */
  exec(container: string, ...command: readonly string[]): Promise<Result> {
    return run("docker", ["exec", container, ...command]);
  }

  /** Waits until a command in the container succeeds: its health check, usually. */
  async healthy(container: string, ...command: readonly string[]): Promise<void> {
    await eventually(`${command.join(" ")} in ${container}`, async () => {
      if ((await this.inspect(container, ".State.Running")) !== "true")
        throw new Error(`The container ended:\n${await this.logs(container)}`);
      return (await this.exec(container, ...command)).exitCode === 0 ? true : undefined;
    });
  }

  /** Host address of the published port: `127.0.0.1:<port>`. */
  async address(container: string, port: number): Promise<string> {
    return (await this.docker(["port", container, `${port}/tcp`])).split("\n")[0] ?? "";
  }

  /** A field of `docker inspect`, such as `.State.ExitCode`. */
  inspect(container: string, field: string): Promise<string> {
    return this.docker(["inspect", "--format", `{{${field}}}`, container]);
  }

  logs(container: string): Promise<string> {
    return this.docker(["logs", container]);
  }

  /** Removes exactly what this sandbox made. */
  async remove(): Promise<void> {
    if (this.#containers.length > 0) await run("docker", ["rm", "--force", ...this.#containers]);
    if (this.#volumes.length > 0) await run("docker", ["volume", "rm", ...this.#volumes]);
    if (this.#network !== undefined) await run("docker", ["network", "rm", this.#network]);
  }

  async #arguments(options: RunOptions): Promise<string[]> {
    const [uid, gid] = options.user.split(":");
    const tmpfs = ["/tmp", ...(options.tmpfs ?? [])];
    return [
      "--init",
      "--read-only",
      "--cap-drop=ALL",
      "--security-opt=no-new-privileges",
      `--user=${options.user}`,
      ...(options.entrypoint === undefined ? [] : [`--entrypoint=${options.entrypoint}`]),
      ...tmpfs.map(
        (path) => `--tmpfs=${path}:noexec,nosuid,size=64m,uid=${uid},gid=${gid},mode=0750`,
      ),
      ...Object.entries(options.environment ?? {}).map(([key, value]) => `--env=${key}=${value}`),
      ...Object.entries(options.volumes ?? {}).map(
        ([path, volume]) => `--volume=${volume}:${path}`,
      ),
      ...Object.entries(options.files ?? {}).map(
        ([path, volume]) => `--volume=${volume}:${path}:ro`,
      ),
      ...(options.alias === undefined
        ? []
        : [`--network=${await this.#networkName()}`, `--network-alias=${options.alias}`]),
      ...(options.publish === undefined ? [] : [`--publish=127.0.0.1::${options.publish}`]),
    ];
  }

  async #networkName(): Promise<string> {
    if (this.#network === undefined) {
      this.#network = this.#prefix;
      await this.docker(["network", "create", this.#network]);
    }
    return this.#network;
  }
}
