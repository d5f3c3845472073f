import { mkdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import type { ContainerInspectInfo } from "dockerode";
import { stringify } from "yaml";
import { findCompose } from "../compose/find";
import { hardening } from "../compose/hardening";
import { runProgram } from "../exec";
import { Load } from "../load/load";
import type { LoadSettings } from "../load/protocol";
import { summarizeLoad } from "../load/summary";
import { NotDeployedError } from "../errors";
import { serviceContainers } from "../services";
import type { Step } from "../step";
import { Deployer } from "./deployer";
import type { DrillStack } from "./drill-stack";
import { reconcile } from "./prediction-log";
import type { LoadOutcome } from "./results";
import { wrongVersions, type Switch } from "./switches";
import { freePorts } from "../ports";

/** After a release: load on what it left. */
const QUIET_MS = 5000;
const SERVED_WITHIN_MS = 120_000;

/**
 * The app and nginx as a Compose project, beside the stack whose Postgres, Redis and MLflow they
 * use. Images, environment, limits, health checks and grace periods are those of the stack's own
 * containers; nginx looks the app's name up anew each second, so that it follows a new container.
 */
export class ComposeRelease {
  private constructor(
    private readonly stack: DrillStack,
    private readonly line: readonly [string, ...string[]],
    private readonly folder: string,
    private readonly port: number,
  ) {}

  /** Writes the project and starts it with the stack's first release. */
  static async start(stack: DrillStack, step: Step): Promise<ComposeRelease> {
    const line = await findCompose(stack.tools, step);
    const folder = join(stack.context.stateDir, "compose");
    const [port] = await freePorts(1);
    await mkdir(join(folder, "conf.d"), { recursive: true });
    const project = new ComposeRelease(stack, line, folder, port ?? 0);
    await writeFile(join(folder, "conf.d", "site.conf"), SITE);
    await writeFile(join(folder, "docker-compose.yml"), stringify(await project.describe()));
    await stack.require(project.up(stack.tags[0]), step);
    return project;
  }

  /** Releases in turn under load. */
  async drill(
    releases: number,
    settings: LoadSettings,
    signal: AbortSignal,
    step: Step,
  ): Promise<LoadOutcome> {
    const url = `https://localhost:${this.port}`;
    const load = Load.start(this.stack.context.root, { ...settings, url });
    const switches: Switch[] = [];
    try {
      await this.untilServed(load, this.stack.tags[0], signal);
      for (let count = 1; count <= releases; count += 1) {
        const tag = this.stack.tags[count % 2] ?? this.stack.tags[0];
        step.say(`docker-compose, release ${count}; ${load.samples.length} requests`);
        const ended = await this.stack.require(this.up(tag), step);
        const at = ended.endedAt;
        switches.push({
          kind: "deploy",
          to: tag,
          ...ended,
          switchedAt: at,
          drainedAt: at,
          appStart: undefined,
        });
        await this.untilServed(load, tag, signal);
      }
      const samples = await load.stop();
      const { docker } = this.stack.tools;
      const { markerColumn } = settings;
      return {
        title: "docker-compose up -d",
        switches: releases,
        load: summarizeLoad(samples),
        wrongVersions: wrongVersions(switches, samples).length,
        predictionLog: await reconcile(docker, this.stack.name, markerColumn, samples),
      };
    } finally {
      load.kill();
    }
  }

  /** Removes the project. */
  async remove(): Promise<void> {
    const [program, ...args] = this.line;
    await runProgram(program, [...args, ...this.files(), "down", "--volumes", "-t", "1"], {
      env: { ...this.stack.context.env, ...this.stack.tools.env, TAG: this.stack.tags[0] },
    });
    await rm(this.folder, { recursive: true, force: true });
  }

  /** Waits until the load meets a release, and a little longer. */
  private async untilServed(load: Load, tag: string, signal: AbortSignal): Promise<void> {
    const since = load.samples.length;
    const deadline = performance.now() + SERVED_WITHIN_MS;
    while (!load.samples.slice(since).some(({ version }) => version === tag)) {
      load.requireRunning();
      if (performance.now() > deadline) throw new Error(`docker-compose does not serve ${tag}`);
      await delay(200, undefined, { signal });
    }
    await delay(QUIET_MS, undefined, { signal });
  }

  private up(tag: string): Deployer {
    const [program, ...args] = this.line;
    return new Deployer({
      program,
      args: [...args, ...this.files(), "up", "-d"],
      cwd: this.folder,
      env: { ...this.stack.context.env, ...this.stack.tools.env, TAG: tag },
    });
  }

  private files(): string[] {
    const file = join(this.folder, "docker-compose.yml");
    return ["--file", file, "--project-name", `mlops-${this.stack.name}-compose`];
  }

  private async describe(): Promise<object> {
    const [app, nginx] = [await this.inspect("app"), await this.inspect("nginx")];
    const networks = Object.keys(app.NetworkSettings.Networks);
    const certificates = nginx.Mounts.find(({ Destination }) => Destination === "/etc/nginx/certs");
    const volumes = [...volumeMounts(app), ...(certificates === undefined ? [] : [certificates])];
    // So that whoever removes the stack removes these as well.
    const labels = { "mlops.stack": this.stack.name };
    return {
      version: "2.4",
      services: {
        app: {
          ...service(app),
          image: "mlops-app:${TAG}",
          command: app.Config.Cmd,
          environment: [
            ...app.Config.Env.filter((entry) => !/^(APP_VERSION|PATH)=/.test(entry)).map((entry) =>
              entry.replaceAll("$", "$$$$"),
            ),
            "APP_VERSION=${TAG}",
          ],
          labels,
          networks: ["front", ...networks],
          volumes: volumeMounts(app).map(mountLine),
        },
        nginx: {
          ...service(nginx),
          image: nginx.Image,
          labels,
          depends_on: { app: { condition: "service_healthy" } },
          networks: ["front"],
          ports: [`127.0.0.1:${this.port}:8443`],
          volumes: [
            `${join(this.folder, "conf.d")}:/etc/nginx/conf.d:ro`,
            ...(certificates === undefined ? [] : [mountLine(certificates)]),
          ],
        },
      },
      networks: {
        front: { labels },
        ...Object.fromEntries(networks.map((name) => [name, { external: { name } }])),
      },
      volumes: Object.fromEntries(
        volumes.map(({ Name = "" }) => [Name, { external: { name: Name } }]),
      ),
    };
  }

  private async inspect(name: string): Promise<ContainerInspectInfo> {
    const { docker } = this.stack.tools;
    const [container] = (await serviceContainers(docker, this.stack.name, name)).filter(
      ({ State }) => State === "running",
    );
    if (container === undefined) throw new NotDeployedError(this.stack.name);
    return docker.getContainer(container.Id).inspect();
  }
}

type Mount = ContainerInspectInfo["Mounts"][number];

const volumeMounts = ({ Mounts }: ContainerInspectInfo): Mount[] =>
  Mounts.filter(({ Type }) => Type === "volume");

const mountLine = ({ Name = "", Destination, RW }: Mount): string =>
  `${Name}:${Destination}${RW ? "" : ":ro"}`;

/** What a container of the stack is made of, in Compose's words. */
function service(details: ContainerInspectInfo): object {
  const { Config, HostConfig } = details;
  const check = Config.Healthcheck;
  // Docker tells them, the types do not know it.
  const { StopSignal, StopTimeout } = Config as {
    readonly StopSignal?: string;
    readonly StopTimeout?: number;
  };
  const seconds = (nanoseconds = 0): string => `${nanoseconds / 1e9}s`;
  return {
    ...hardening(details),
    cpus: (HostConfig.NanoCpus ?? 0) / 1e9,
    ...(StopSignal === undefined ? {} : { stop_signal: StopSignal }),
    stop_grace_period: `${StopTimeout ?? 10}s`,
    ...(check === undefined
      ? {}
      : {
          healthcheck: {
            test: check.Test,
            interval: seconds(check.Interval),
            timeout: seconds(check.Timeout),
            retries: check.Retries,
            start_period: seconds(check.StartPeriod),
          },
        }),
  };
}

/** An ordinary proxy in front of one app, with the time-outs of the stack's own. */
const SITE = `resolver 127.0.0.11 valid=1s ipv6=off;
server {
  listen 8443 ssl;
  http2 on;
  ssl_certificate /etc/nginx/certs/tls.pem;
  ssl_certificate_key /etc/nginx/certs/tls.pem;
  location / {
    set $app "app:8000";
    proxy_pass http://$app;
    proxy_http_version 1.1;
    proxy_set_header Connection "";
    proxy_set_header Host $http_host;
    proxy_set_header X-Request-ID $request_id;
    proxy_connect_timeout 2s;
    proxy_read_timeout 60s;
  }
}
server {
  listen 8081;
  access_log off;
  location = /healthz { return 200 "ok"; }
}
`;
