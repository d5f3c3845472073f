import { mkdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type Docker from "dockerode";
import type { ContainerInspectInfo } from "dockerode";
import { stringify } from "yaml";
import { findCompose } from "../compose/find";
import { hardening } from "../compose/hardening";
import type { Context } from "../context";
import { serviceContainers, serviceOf } from "../services";
import type { Tools } from "../setup";
import type { Step } from "../step";
import type { Contender } from "./measure";
import { runProgram } from "../exec";

const PROJECT = "mlops-bench-compose";

/**
 * The same services for docker-compose: images, settings, health checks, limits, networks and
 * volumes are the stack's, so that it has the same to compare. Only what runs inside is `sleep`: two
 * servers on the same data would destroy it, and servers at work would disturb the measurement.
 */
export class ComposeProject {
  private constructor(
    private readonly context: Context,
    private readonly env: Readonly<Record<string, string>>,
    private readonly line: readonly [string, ...string[]],
    private readonly file: string,
  ) {}

  /** Writes the project and starts it. */
  static async start(
    context: Context,
    tools: Tools,
    stack: string,
    step: Step,
  ): Promise<ComposeProject> {
    const line = await findCompose(tools, step);
    const folder = join(context.stateDir, "bench");
    const file = join(folder, "docker-compose.yml");
    await mkdir(folder, { recursive: true });
    await writeFile(file, stringify(await describe(tools.docker, stack)));
    const project = new ComposeProject(context, tools.env, line, file);
    const { command, args } = project.up();
    await step.run(command, args, { env: tools.env });
    return project;
  }

  /** `up -d`, which has nothing to do once the project runs. */
  up(): Contender {
    const [command, ...args] = this.line;
    return {
      name: `${this.line.join(" ").split("/").at(-1) ?? command} up -d`,
      command,
      args: [...args, "--file", this.file, "--project-name", PROJECT, "up", "-d"],
      cwd: this.context.root,
      env: this.env,
    };
  }

  /** Removes everything of the project. */
  async remove(): Promise<void> {
    const [command, ...args] = this.line;
    const down = ["--file", this.file, "--project-name", PROJECT, "down", "--volumes", "-t", "1"];
    await runProgram(command, [...args, ...down], {
      env: { ...this.context.env, ...this.env },
    });
    await rm(this.file, { force: true });
  }
}

async function describe(docker: Docker, stack: string): Promise<object> {
  const containers = await serviceContainers(docker, stack);
  const services: Record<string, object> = {};
  const networks = new Set<string>();
  const volumes = new Set<string>();
  for (const [index, container] of containers.entries()) {
    const details = await docker.getContainer(container.Id).inspect();
    const name = `${serviceOf(container)}-${index}`;
    services[name] = service(details, name);
    for (const network of Object.keys(details.NetworkSettings.Networks)) networks.add(network);
    for (const volume of volumesOf(details, name)) volumes.add(volume.name);
  }
  const empty = (names: Iterable<string>): object =>
    Object.fromEntries([...names].map((name) => [name, {}]));
  return { version: "2.4", services, networks: empty(networks), volumes: empty(volumes) };
}

function service(details: ContainerInspectInfo, name: string): object {
  const { Config } = details;
  const check = Config.Healthcheck;
  return {
    image: details.Image,
    entrypoint: ["sleep", "infinity"],
    ...hardening(details),
    environment: Config.Env,
    labels: { ...Config.Labels, "mlops.stack": PROJECT },
    networks: Object.keys(details.NetworkSettings.Networks),
    volumes: volumesOf(details, name).map((volume) => `${volume.name}:${volume.path}`),
    // The check itself would ask a server that does not run here.
    ...(check === undefined
      ? {}
      : { healthcheck: { test: ["CMD", "true"], interval: `${(check.Interval ?? 0) / 1e9}s` } }),
  };
}

function volumesOf(details: ContainerInspectInfo, name: string): { name: string; path: string }[] {
  return details.Mounts.filter((mount) => mount.Type === "volume").map((mount, index) => ({
    name: `${name}-${index}`,
    path: mount.Destination,
  }));
}
