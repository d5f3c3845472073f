import { text } from "node:stream/consumers";
import { Command, Option } from "commander";
import { Cron } from "croner";
import { CommandError } from "../cli/errors";
import { openAgent } from "./agent";
import { Report, toStdout } from "./events";
import { withRepositoryLock } from "./lock";
import { keepExport, makeSet, type StackExport } from "./make-set";
import type { Reason } from "./manifest";
import { expireSets } from "./expire";
import { lastRun, recordRun } from "./runs";
import { serve } from "./serve";

/** `agent backup`: a new set. */
export function backupCommand(): Command {
  return new Command("backup")
    .description("Make a set of backups of everything the stack keeps.")
    .addOption(
      new Option("--reason <reason>", "what is noted as the reason")
        .choices(["manual", "schedule", "safety"])
        .default("manual"),
    )
    .option("--stdin", "read the stack's export as JSON from standard input")
    .action(({ reason, stdin }: { readonly reason: Reason; readonly stdin?: true }) =>
      backup(reason, stdin === true),
    );
}

async function backup(reason: Reason, fromStdin: boolean): Promise<void> {
  const agent = openAgent();
  const given = fromStdin ? (JSON.parse(await text(process.stdin)) as StackExport) : {};
  const report = new Report(toStdout);
  await withRepositoryLock(agent.places, "backup", () =>
    recordRun(agent.places, "backup", async () => {
      await keepExport(agent.places, given);
      const manifest = await makeSet(agent, reason, report);
      await expireSets(agent, report);
      report.result({ manifest });
      if (manifest.complete && manifest.verified) return;
      throw new CommandError(
        `The set ${manifest.set} is not what it should be: ${manifest.problems.join("; ")}.`,
        "Earlier sets are as they were. Correct that, and make another one.",
      );
    }),
  );
}

/** `agent list`: every set, and which is the newest good one. */
export function listCommand(): Command {
  return new Command("list").description("List the sets, oldest first.").action(async () => {
    const { places, sets, settings } = openAgent();
    const report = new Report(toStdout);
    report.result({
      ...(await sets.list()),
      latest: (await sets.latest()) ?? null,
      schedule: settings.schedule,
      nextBackup: nextRun(settings.schedule),
      drillSchedule: settings.drillSchedule,
      lastBackup: (await lastRun(places, "backup")) ?? null,
      lastDrill: (await lastRun(places, "drill")) ?? null,
    });
  });
}

/** When a schedule is due next, ISO 8601; null for never. */
const nextRun = (schedule: string): string | null =>
  schedule === ""
    ? null
    : (new Cron(schedule, { timezone: "UTC", paused: true }).nextRun()?.toISOString() ?? null);

/** `agent serve`: what the container runs. */
export function serveCommand(): Command {
  return new Command("serve")
    .description("Run backups when they are due, and tell Prometheus how they went.")
    .action(() => serve(openAgent()));
}
