import assert from "node:assert/strict";
import { spawn, type ChildProcess } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { mkdtemp, open, readdir, readFile, rm, rmdir } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { pingFailure } from "../cli/docker";
import { quote } from "../components/shell";
import { runProgram } from "./sandbox";

/** How long a Docker engine may take to answer, and to end after it was asked to. */
const WITHIN_MS = 120_000;
const CGROUPS = "/sys/fs/cgroup";

/**
 * What is process 1 there: it starts the engine, passes on that it is to stop, and collects what its
 * containers leave behind. An empty /run is what a machine has after it was off.
 */
const INIT = `set -e
mount -t tmpfs tmpfs /run
ip link set lo up
"$@" &
engine=$!
trap 'kill -TERM $engine' TERM
while kill -0 $engine 2>/dev/null; do wait $engine || :; done`;

/**
 * A machine with a Docker engine of its own that can be switched off: namespaces of processes, network
 * and mounts, which end with their first process as on a machine that loses its power, and a folder
 * that is its disk. Nothing of it meets the engine of the host. Needs root.
 */
export class Machine {
  private process: ChildProcess | undefined;
  /** Outside, the number of its process 1. */
  private init = 0;

  private constructor(
    private readonly folder: string,
    /** Control group of its containers. */
    private readonly cgroup: string,
  ) {}

  /** A machine with an empty disk, switched off. */
  static async create(): Promise<Machine> {
    // A short path: that of a socket has room for a hundred characters.
    const folder = await mkdtemp(join(tmpdir(), "mlops-host-"));
    return new Machine(folder, `mlops-host-${randomBytes(3).toString("hex")}`);
  }

  /** Address of its engine, as `DOCKER_HOST`. */
  get host(): string {
    return `unix://${this.socket}`;
  }

  private get socket(): string {
    return join(this.folder, "docker.sock");
  }

  private get logFile(): string {
    return join(this.folder, "dockerd.log");
  }

  /** Switches it on, and waits until its engine answers. */
  async boot(): Promise<void> {
    assert.equal(this.process, undefined, "it runs");
    const log = await open(this.logFile, "a");
    const engine = [
      "dockerd",
      ...["--data-root", join(this.folder, "data"), "--host", this.host],
      ...["--cgroup-parent", `/${this.cgroup}`],
    ];
    const namespaces = "--net --mount --pid --mount-proc --fork --kill-child".split(" ");
    // Neither it nor anything in it outlives this process, however that ends.
    const line = ["--pdeathsig", "KILL", "unshare", ...namespaces, "sh", "-c", INIT, "init"];
    const child = spawn("setpriv", [...line, ...engine], {
      stdio: ["ignore", log.fd, log.fd],
    });
    this.process = child;
    await log.close();
    const { default: DockerClient } = await import("dockerode");
    const client = new DockerClient({ socketPath: this.socket });
    const deadline = Date.now() + WITHIN_MS;
    while ((await pingFailure(client)) !== undefined) {
      const ended = child.exitCode !== null || child.signalCode !== null;
      if (ended || Date.now() > deadline) assert.fail(`no engine: ${await this.lastWords()}`);
      await delay(100);
    }
    const children = await readFile(`/proc/${child.pid}/task/${child.pid}/children`, "utf8");
    this.init = Number(children.trim());
  }

  /** Start of a command line that is run in its network, where its published ports are. */
  readonly within = (): readonly string[] => ["nsenter", `--net=/proc/${this.init}/ns/net`, "--"];

  /** Gives it images of the Docker engine that the environment names. */
  async load(references: readonly string[]): Promise<void> {
    const images = references.map(quote).join(" ");
    const pipe = `docker save ${images} | docker --host ${quote(this.host)} load --quiet`;
    const { exitCode, output } = await runProgram("sh", ["-c", pipe]);
    assert.equal(exitCode, 0, output);
  }

  /** Shuts it down: its engine ends in good order, and its containers before. */
  shutDown(): Promise<void> {
    return this.end("SIGTERM");
  }

  /** Every process in it ends at once. */
  cutPower(): Promise<void> {
    return this.end("SIGKILL");
  }

  /** Ends it, and removes its disk. */
  async remove(): Promise<void> {
    if (this.process !== undefined && this.init !== 0) await this.cutPower();
    this.process?.kill("SIGKILL");
    await rm(this.folder, { recursive: true, force: true });
  }

  private async end(signal: "SIGTERM" | "SIGKILL"): Promise<void> {
    const child = this.process;
    assert.ok(child !== undefined && child.exitCode === null && child.signalCode === null);
    const exit = once(child, "exit", { signal: AbortSignal.timeout(WITHIN_MS) });
    process.kill(this.init, signal);
    await exit;
    this.process = undefined;
    this.init = 0;
    await removeCgroups(this.cgroup);
  }

  private async lastWords(): Promise<string> {
    return (await readFile(this.logFile, "utf8")).trimEnd().split("\n").slice(-5).join("\n");
  }
}

/** Removes a control group, which no machine has any more when it is off, from each hierarchy. */
async function removeCgroups(name: string): Promise<void> {
  const hierarchies = (await readdir(CGROUPS, { withFileTypes: true }))
    .filter((entry) => entry.isDirectory())
    .map((entry) => join(CGROUPS, entry.name, name));
  for (const group of [join(CGROUPS, name), ...hierarchies]) await removeGroup(group);
}

/** A group is a folder whose files are the kernel's: only folders can be removed. */
async function removeGroup(path: string): Promise<void> {
  const entries = await readdir(path, { withFileTypes: true }).catch(() => []);
  for (const entry of entries) if (entry.isDirectory()) await removeGroup(join(path, entry.name));
  if (entries.length > 0) await rmdir(path);
}
