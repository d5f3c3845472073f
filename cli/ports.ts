import { randomInt } from "node:crypto";
import { once } from "node:events";
import { readdir, readFile, readlink } from "node:fs/promises";
import { createServer, type Server } from "node:net";
import type Docker from "dockerode";
import type { Config } from "../config";
import { codeOf, CommandError, PortTakenError } from "./errors";

/** Below the ports of outgoing connections, which begin at 32768 unless somebody changed that. */
const [FIRST_PORT, LAST_PORT] = [20_000, 32_000];

interface Wanted {
  readonly key: string;
  readonly port: number;
}

/**
 * Checks that every port the stack publishes is free, or is its own already.
 *
 * @throws PortTakenError naming the process or container that holds the port.
 */
export async function requirePorts(docker: Docker, config: Config): Promise<void> {
  const address = config.network.bindAddress;
  const containers = await docker.listContainers();
  for (const { key, port } of wantedPorts(config)) {
    const holder = containers.find((container) =>
      container.Ports.some(
        (published) => published.PublicPort === port && overlaps(published.IP, address),
      ),
    );
    if (holder?.Labels["mlops.stack"] === config.stack) continue;
    if (holder !== undefined) {
      const name = holder.Names[0]?.slice(1) ?? holder.Id.slice(0, 12);
      throw new PortTakenError(port, address, `the container ${name}`, key, config.stack);
    }
    await requireFree(address, port, key, config.stack);
  }
}

function wantedPorts(config: Config): Wanted[] {
  return [
    { key: "httpPort", port: config.nginx.httpPort },
    { key: "httpsPort", port: config.nginx.tls === "off" ? 0 : config.nginx.httpsPort },
    { key: "appHostPort", port: config.app.hostPort },
    { key: "mlflowHostPort", port: config.mlflow.hostPort },
    { key: "prometheusHostPort", port: config.prometheus.hostPort },
  ].filter(({ port }) => port !== 0);
}

/** Two addresses clash when they are equal or one of them stands for all. */
function overlaps(a: string, b: string): boolean {
  const all = (address: string): boolean => address === "0.0.0.0" || address === "::";
  return a === b || all(a) || all(b);
}

async function requireFree(
  address: string,
  port: number,
  key: string,
  stack: string,
): Promise<void> {
  const failure = await listenFailure(address, port);
  switch (failure) {
    // Ports below 1024 are not for every user, but they are for the Docker daemon.
    case "EACCES":
    case undefined:
      return;
    case "EADDRINUSE": {
      const holder = (await listeningProcess(port)) ?? "another process";
      throw new PortTakenError(port, address, holder, key, stack);
    }
    case "EADDRNOTAVAIL":
      throw new CommandError(
        `No network interface of this host has the address ${address}, on which stack "${stack}" would publish its ports.`,
        `Choose one that it has: pulumi config set bindAddress 127.0.0.1 --stack ${stack}`,
      );
    default:
      throw new CommandError(
        `Port ${port} on ${address} cannot be opened (${failure}).`,
        `Choose another one: pulumi config set ${key} PORT --stack ${stack}`,
      );
  }
}

function listenFailure(address: string, port: number): Promise<string | undefined> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once("error", (error) => {
      resolve(codeOf(error) ?? error.message);
    });
    server.listen({ host: address, port, exclusive: true }, () => {
      server.close(() => {
        resolve(undefined);
      });
    });
  });
}

/** The process that listens on a TCP port, such as `nginx (process 812)`; Linux only. */
async function listeningProcess(port: number): Promise<string | undefined> {
  const inodes = new Set<string>();
  for (const table of ["/proc/net/tcp", "/proc/net/tcp6"]) {
    const lines = (await readFile(table, "utf8").catch(() => "")).split("\n").slice(1);
    for (const line of lines) {
      const [, local, , state, , , , , , inode] = line.trim().split(/\s+/);
      const LISTEN = "0A";
      if (
        inode !== undefined &&
        state === LISTEN &&
        parseInt(local?.split(":")[1] ?? "", 16) === port
      )
        inodes.add(`socket:[${inode}]`);
    }
  }
  for (const pid of (await readdir("/proc").catch(() => [])).filter((name) => /^\d+$/.test(name))) {
    const folder = `/proc/${pid}/fd`;
    for (const descriptor of await readdir(folder).catch(() => [])) {
      const target = await readlink(`${folder}/${descriptor}`).catch(() => "");
      if (!inodes.has(target)) continue;
      const name = (await readFile(`/proc/${pid}/comm`, "utf8").catch(() => "")).trim();
      return `${name === "" ? "a process" : name} (process ${pid})`;
    }
  }
  return undefined;
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
