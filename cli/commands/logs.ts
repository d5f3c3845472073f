import { PassThrough, type Readable } from "node:stream";
import { createInterface } from "node:readline";
import { Command, InvalidArgumentError } from "commander";
import type { ContainerInfo } from "dockerode";
import type Docker from "dockerode";
import type { Context } from "../context";
import { connectDocker } from "../docker";
import { serviceContainers, serviceOf } from "../services";
import type { Style, Terminal } from "../terminal";
import { examples, stackOption } from "./options";

interface LogsOptions {
  readonly stack: string;
  readonly follow?: true;
  /** Seconds since 1970. */
  readonly since?: number;
  readonly tail?: number;
}

const STYLES: readonly Style[] = ["cyan", "green", "yellow", "bold", "dim"];

/** `./mlops logs`: what the services write. */
export function logsCommand(context: Context): Command {
  return new Command("logs")
    .description("Print the logs of one service or of all.")
    .argument("[service]", "such as app, postgres or nginx; all if left out")
    .addOption(stackOption())
    .option("-f, --follow", "go on with what is written from now on, until ^C")
    .option("--since <time>", "not older than this: 30s, 10m, 2h, 3d, or a date", parseSince)
    .option("--tail <lines>", "only so many of the last lines of each container", parseLines)
    .addHelpText("after", examples("./mlops logs app -f --since 10m", "./mlops logs --tail 20"))
    .action((service: string | undefined, options: LogsOptions) => logs(context, service, options));
}

/** A span back from now, or a date in any form that ISO 8601 knows; as seconds since 1970. */
export function parseSince(text: string): number {
  const span = /^(\d+)([smhd])$/.exec(text);
  if (span !== null) {
    const seconds = { s: 1, m: 60, h: 3600, d: 86_400 }[span[2] as "s" | "m" | "h" | "d"];
    return Math.floor(Date.now() / 1000) - Number(span[1]) * seconds;
  }
  const date = /^\d{4}-\d{2}-\d{2}/.test(text) ? Date.parse(text) : NaN;
  if (Number.isNaN(date))
    throw new InvalidArgumentError(
      "Expected a span such as 10m or a date such as 2026-01-31T08:00Z.",
    );
  return Math.floor(date / 1000);
}

function parseLines(text: string): number {
  if (!/^\d+$/.test(text)) throw new InvalidArgumentError("Expected a number of lines.");
  return Number(text);
}

async function logs(
  context: Context,
  service: string | undefined,
  options: LogsOptions,
): Promise<void> {
  const docker = await connectDocker(context.env);
  const containers = await serviceContainers(docker, options.stack, service);
  const width = Math.max(...containers.map((container) => serviceOf(container).length));
  await Promise.all(
    containers.map(async (container, index) => {
      const style = STYLES[index % STYLES.length] ?? "dim";
      const label =
        containers.length === 1
          ? ""
          : `${context.terminal.style(style, serviceOf(container).padEnd(width))} | `;
      await printLogs(context.terminal, docker, container, label, options);
    }),
  );
}

async function printLogs(
  terminal: Terminal,
  docker: Docker,
  container: ContainerInfo,
  label: string,
  options: LogsOptions,
): Promise<void> {
  const lines = new PassThrough();
  const printing = (async () => {
    for await (const line of createInterface({ input: lines })) terminal.print(`${label}${line}`);
  })();
  const request = {
    stdout: true,
    stderr: true,
    ...(options.since === undefined ? {} : { since: options.since }),
    ...(options.tail === undefined ? {} : { tail: options.tail }),
  };
  const handle = docker.getContainer(container.Id);
  const stream: Readable =
    options.follow === true
      ? ((await handle.logs({ ...request, follow: true })) as unknown as Readable)
      : await wholeLog(handle.logs({ ...request, follow: false }));
  // Docker sends both outputs in one stream, in frames that say which it was.
  docker.modem.demuxStream(stream, lines, lines);
  stream.once("end", () => lines.end());
  await printing;
}

async function wholeLog(log: Promise<Buffer>): Promise<Readable> {
  const stream = new PassThrough();
  stream.end(await log);
  return stream;
}
