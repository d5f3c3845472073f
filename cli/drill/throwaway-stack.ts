import { randomBytes, randomInt } from "node:crypto";
import { once } from "node:events";
import { cp, mkdtemp, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { createServer, type Server } from "node:net";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import type Docker from "dockerode";
import { parse, stringify } from "yaml";
import { codeOf, statusOf } from "../errors";
import { heldReleases } from "../release/hold";

/** Folders of a checkout that belong to whoever uses it. */
const PRIVATE = new Set([".git", ".mlops", "dist", "node_modules"]);

/** Below the ports of outgoing connections, which begin at 32768 unless somebody changed that. */
const [FIRST_PORT, LAST_PORT] = [20_000, 32_000];

/** Which stack to make. */
export interface ThrowawayStackRequest {
  /** Folder of the project that is copied. */
  readonly source: string;
  /** Start of the stack's name, and of the copy's folder. */
  readonly prefix: string;
  /** Stack of the project whose configuration the new one starts from. */
  readonly base: string;
  /** Configuration on top, without the namespace. @default none */
  readonly values?: Readonly<Record<string, string>>;
}

/**
 * A copy of the project with a state and a passphrase of its own, and one stack under a name and on
 * ports that nothing else has: what a user has after a fresh clone, beside whatever else runs here.
 */
export class ThrowawayStack {
  private constructor(
    /** Folder of the copy. */
    readonly root: string,
    /** Name of the stack, and of the label of everything it makes. */
    readonly name: string,
  ) {}

  /** Makes the copy; nothing is deployed yet. */
  static async create(request: ThrowawayStackRequest): Promise<ThrowawayStack> {
    const { source, prefix, base, values = {} } = request;
    const root = await mkdtemp(join(tmpdir(), `mlops-${prefix}-`));
    const stack = new ThrowawayStack(root, `${prefix}-${randomBytes(3).toString("hex")}`);
    await cp(source, root, {
      recursive: true,
      filter: (path) => path === source || !PRIVATE.has(basename(path)),
    });
    await symlink(join(source, "node_modules"), join(root, "node_modules"));
    await stack.configure(base, values);
    return stack;
  }

  /** A stack that was made earlier, to be removed. */
  static existing(root: string, name: string): ThrowawayStack {
    return new ThrowawayStack(root, name);
  }

  /**
   * The caller's environment without what would point at another project's state or choose a
   * release, and with what keeps the state in the copy even where the caller is logged in elsewhere.
   */
  environment(env: Readonly<NodeJS.ProcessEnv>): NodeJS.ProcessEnv {
    const settings = /^(PULUMI_.*|TAG|REGISTRY|MODE|CANARY|CACHE_TTL|CACHE_MAX_SIZE)$/;
    const kept = Object.entries(env).filter(([name]) => !settings.test(name));
    return {
      ...Object.fromEntries(kept),
      PULUMI_BACKEND_URL: `file://${join(this.root, ".mlops", "state")}`,
    };
  }

  /** Removes all that the stack has on the Docker host, its data included, and the copy. */
  async remove(docker: Docker): Promise<void> {
    const filters = { label: [`mlops.stack=${this.name}`] };
    const containers = await docker.listContainers({ all: true, filters });
    await Promise.all(
      containers.map(({ Id }) => gone(docker.getContainer(Id).remove({ force: true }))),
    );
    const { Volumes } = await docker.listVolumes({ filters });
    for (const { Name } of Volumes) await gone(docker.getVolume(Name).remove());
    for (const { Id } of await docker.listNetworks({ filters }))
      await gone(docker.getNetwork(Id).remove());
    for (const { reference } of await heldReleases(docker, this.name))
      await gone(docker.getImage(reference).remove());
    await rm(this.root, { recursive: true, force: true });
  }

  private async configure(base: string, values: Readonly<Record<string, string>>): Promise<void> {
    const [httpPort, httpsPort, appHostPort] = await freePorts(3);
    const file = parse(await readFile(join(this.root, `Pulumi.${base}.yaml`), "utf8")) as {
      config: Record<string, string>;
    };
    const ports: Record<string, string> = { httpPort: `${httpPort}`, httpsPort: `${httpsPort}` };
    if (file.config["mlops:appHostPort"] !== undefined) ports["appHostPort"] = `${appHostPort}`;
    for (const [key, value] of Object.entries({ ...ports, ...values }))
      file.config[`mlops:${key}`] = value;
    await writeFile(join(this.root, `Pulumi.${this.name}.yaml`), stringify(file));
  }
}

/** Waits for a removal; what is gone already needs none. */
async function gone(removal: Promise<unknown>): Promise<void> {
  try {
    await removal;
  } catch (error) {
    // 409: something else is removing it at this moment.
    const status = statusOf(error);
    if (status !== 404 && status !== 409) throw error;
  }
}

/**
 * Ports of the loopback address that were free a moment ago. None of those that the system gives to
 * outgoing connections: the next of them could have it before the stack does.
 */
export async function freePorts(count: number): Promise<number[]> {
  const servers: Server[] = [];
  const ports: number[] = [];
  while (ports.length < count) {
    const port = randomInt(FIRST_PORT, LAST_PORT + 1);
    const server = createServer().listen(port, "127.0.0.1");
    const taken = await once(server, "listening").then(
      () => false,
      (error: unknown) => {
        if (codeOf(error) !== "EADDRINUSE") throw error;
        return true;
      },
    );
    if (taken) continue;
    servers.push(server);
    ports.push(port);
  }
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
  return ports;
}
