import { Command } from "commander";
import type { Context } from "../context";
import { connectDocker } from "../docker";
import { formatBytes, formatDuration } from "../format";
import { readStatus, type ServiceStatus } from "../services";
import { renderTable } from "../table";
import type { Terminal } from "../terminal";
import { examples, jsonOption, stackOption } from "./options";

interface StatusOptions {
  readonly stack: string;
  readonly json?: true;
}

/** `./mlops status`: what runs, and how it is. */
export function statusCommand(context: Context): Command {
  return new Command("status")
    .description("Show every service of the stack: image, health, uptime, memory, URL.")
    .addOption(stackOption())
    .addOption(jsonOption())
    .addHelpText("after", examples("./mlops status --stack prod", "./mlops status --json"))
    .action((options: StatusOptions) => status(context, options));
}

async function status(context: Context, options: StatusOptions): Promise<void> {
  const docker = await connectDocker(context.env);
  const services = await readStatus(docker, options.stack);
  if (options.json) {
    context.terminal.printJson({ stack: options.stack, services });
    return;
  }
  const { terminal } = context;
  const head = ["SERVICE", "IMAGE", "HEALTH", "UPTIME", "MEMORY", "URL"];
  terminal.print(
    renderTable(
      head.map((title) => terminal.style("bold", title)),
      services.map((service) => row(terminal, service)),
    ),
  );
}

function row(terminal: Terminal, service: ServiceStatus): string[] {
  const good = service.health === "healthy" || service.health === "running";
  const style = good ? "green" : service.health === "starting" ? "yellow" : "red";
  const { startedAt, memoryBytes, memoryLimitBytes } = service;
  return [
    service.service,
    service.image,
    terminal.style(style, service.health),
    startedAt === undefined ? "" : formatDuration((Date.now() - Date.parse(startedAt)) / 1000),
    memoryBytes === undefined
      ? ""
      : `${formatBytes(memoryBytes)} / ${formatBytes(memoryLimitBytes)}`,
    service.urls.join(" "),
  ];
}
