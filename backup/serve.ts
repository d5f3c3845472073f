import { createServer, type ServerResponse } from "node:http";
import { Cron } from "croner";
import { execa } from "execa";
import { messageOf } from "../cli/errors";
import type { Agent } from "./agent";
import { backupMetrics } from "./metrics";
import { releaseRewrites } from "./redis-hold";
import { readIndexBack } from "./reindex";
import { removeDrill } from "./restore/drill";
import { AGENT_PORT } from "./settings";

/** A command of this program, and when it is run. */
interface Scheduled {
  readonly schedule: string;
  readonly args: readonly string[];
}

/**
 * Runs commands of this program when they are due, each in a process of its own as if a person had
 * started it, and tells Prometheus how they ended. Returns when it is asked to stop.
 *
 * @param port of `/metrics` and `/healthz`.
 */
export async function serve(agent: Agent, port = AGENT_PORT): Promise<void> {
  const { places, settings } = agent;
  // A backup that was killed with its container may have left it held.
  await releaseRewrites(places);
  // And a drill that was, what it had restored.
  await removeDrill(places);
  // On a new host; where the repository does not answer yet, the next command does it.
  await readIndexBack(agent).catch(log);
  const registry = backupMetrics(agent);
  const server = createServer((request, response) => {
    if (request.url === "/healthz") answer(response, 200, "text/plain", "ok\n");
    else if (request.url === "/metrics")
      registry.metrics().then(
        (text) => {
          answer(response, 200, registry.contentType, text);
        },
        (error: unknown) => {
          answer(response, 500, "text/plain", `${messageOf(error)}\n`);
        },
      );
    else answer(response, 404, "text/plain", "There are /metrics and /healthz.\n");
  });
  server.listen(port);
  const scheduled: readonly Scheduled[] = [
    { schedule: settings.schedule, args: ["backup", "--reason", "schedule"] },
    { schedule: settings.drillSchedule, args: ["drill"] },
  ];
  const jobs = scheduled
    .filter(({ schedule }) => schedule !== "")
    .map(({ schedule, args }) => {
      const options = { timezone: "UTC", protect: true, catch: log };
      const job = new Cron(schedule, options, () => run(args));
      log(`next ${args[0]} at ${job.nextRun()?.toISOString() ?? "no time"}`);
      return job;
    });
  await stopSignal();
  for (const job of jobs) job.stop();
  server.close();
  server.closeAllConnections();
}

function answer(response: ServerResponse, status: number, type: string, text: string): void {
  response.writeHead(status, { "Content-Type": type }).end(text);
}

/** Its events and errors are this service's log. */
async function run(args: readonly string[]): Promise<void> {
  const [program = "", script = ""] = process.argv;
  const { failed, shortMessage } = await execa(program, [script, ...args], {
    stdin: "ignore",
    stdout: "inherit",
    stderr: "inherit",
    reject: false,
  });
  if (failed) log(shortMessage);
}

function log(what: unknown): void {
  process.stderr.write(`agent: ${messageOf(what)}\n`);
}

/** Settles when the container is to stop. */
const stopSignal = (): Promise<void> =>
  new Promise((resolve) => {
    for (const signal of ["SIGTERM", "SIGINT"] as const)
      process.once(signal, () => {
        resolve();
      });
  });
