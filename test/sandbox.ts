import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { once } from "node:events";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { parse, stringify } from "yaml";

/** How a command ended. */
export interface Ended {
  readonly exitCode: number;
  readonly stdout: string;
  /** Standard output and standard error together, as a person sees them. */
  readonly output: string;
}

/** Folders of a checkout that belong to whoever uses it. */
const PRIVATE = new Set([".git", ".mlops", "dist", "node_modules"]);

/**
 * A copy of the project with a state and a passphrase of its own, and one stack under a name and on
 * ports that nothing else has: what a user has after a fresh clone, beside whatever else runs here.
 */
export class Sandbox {
  readonly root = mkdtempSync(join(tmpdir(), "mlops-test-"));
  /** Name of the stack, and of the label of everything it makes. */
  readonly stack = `test-${randomBytes(3).toString("hex")}`;
  private readonly source = process.cwd();

  private constructor() {
    cpSync(this.source, this.root, {
      recursive: true,
      filter: (path) => path === this.source || !PRIVATE.has(basename(path)),
    });
    symlinkSync(join(this.source, "node_modules"), join(this.root, "node_modules"));
  }

  /**
   * @param base stack of the project whose configuration the new one starts from.
   * @param values configuration on top, without the namespace.
   */
  static async create(
    base: string,
    values: Readonly<Record<string, string>> = {},
  ): Promise<Sandbox> {
    const sandbox = new Sandbox();
    const [httpPort, httpsPort, appHostPort] = await freePorts(3);
    const file = parse(readFileSync(join(sandbox.root, `Pulumi.${base}.yaml`), "utf8")) as {
      config: Record<string, string>;
    };
    const ports: Record<string, string> = { httpPort: `${httpPort}`, httpsPort: `${httpsPort}` };
    if (file.config["mlops:appHostPort"] !== undefined) ports["appHostPort"] = `${appHostPort}`;
    for (const [key, value] of Object.entries({ ...ports, ...values }))
      file.config[`mlops:${key}`] = value;
    writeFileSync(join(sandbox.root, `Pulumi.${sandbox.stack}.yaml`), stringify(file));
    return sandbox;
  }

  /** Runs `./mlops` without a terminal, and waits for its end. */
  async run(args: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<Ended> {
    return runProgram(join(this.root, "mlops"), args, {
      cwd: this.root,
      env: { ...withoutStackSettings(process.env), ...env },
    });
  }

  /** Runs a command on the sandbox's stack that must succeed. */
  async succeed(command: string, ...args: readonly string[]): Promise<Ended> {
    const ended = await this.run([command, "--stack", this.stack, ...args]);
    assert.equal(ended.exitCode, 0, `./mlops ${command} failed:\n${ended.output}`);
    return ended;
  }

  /** Removes the stack with its data, by name: it belongs to the test that made it. */
  async remove(): Promise<void> {
    const filter = ["--filter", `label=mlops.stack=${this.stack}`];
    const containers = await docker("ps", "--all", "--quiet", ...filter);
    if (containers.length > 0) await docker("rm", "--force", ...containers);
    const volumes = await docker("volume", "ls", "--quiet", ...filter);
    if (volumes.length > 0) await docker("volume", "rm", ...volumes);
    const networks = await docker("network", "ls", "--quiet", ...filter);
    if (networks.length > 0) await docker("network", "rm", ...networks);
    rmSync(this.root, { recursive: true, force: true });
  }
}

/** The environment without what would point at another project's state or choose a release. */
function withoutStackSettings(environment: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  const settings = /^(PULUMI_.*|TAG|REGISTRY|MODE|CACHE_TTL|CACHE_MAX_SIZE)$/;
  return Object.fromEntries(Object.entries(environment).filter(([name]) => !settings.test(name)));
}

/** Runs a program without a terminal, and waits for its end, whatever that is. */
export async function runProgram(
  program: string,
  args: readonly string[],
  options: { readonly cwd?: string; readonly env?: NodeJS.ProcessEnv } = {},
): Promise<Ended> {
  const child = spawn(program, args, {
    cwd: options.cwd,
    env: options.env ?? process.env,
    stdio: ["ignore", "pipe", "pipe"],
  });
  let stdout = "";
  let output = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    stdout += text;
    output += text;
  });
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    output += text;
  });
  const [code] = (await once(child, "close")) as [number | null];
  return { exitCode: code ?? -1, stdout, output };
}

/** Runs the Docker client, which must succeed, and returns the lines it printed. */
export async function docker(...args: readonly string[]): Promise<string[]> {
  const { exitCode, stdout, output } = await runProgram("docker", args);
  assert.equal(exitCode, 0, output);
  return stdout.split("\n").filter((line) => line !== "");
}

/** Ports of the loopback address that were free a moment ago. */
export async function freePorts(count: number): Promise<number[]> {
  const servers = await Promise.all(
    Array.from({ length: count }, async () => {
      const server = createServer();
      await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
      return server;
    }),
  );
  const ports = servers.map((server) => {
    const address = server.address();
    assert.ok(typeof address === "object" && address !== null);
    return address.port;
  });
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
  return ports;
}
