import { dirname } from "node:path";
import { text } from "node:stream/consumers";
import { Command, Option } from "commander";
import { Cron } from "croner";
import { CommandError, messageOf } from "../cli/errors";
import { openAgent, type Agent } from "./agent";
import { markDamaged } from "./damage";
import { Report, toStdout } from "./events";
import { withRepositoryLock } from "./lock";
import { keepExport, makeSet, readBack, type StackExport } from "./make-set";
import type { Reason } from "./manifest";
import { expireSets } from "./expire";
import { waitingIn } from "./restore/place";
import { lastRun, recordRun } from "./runs";
import { readIndexBack } from "./reindex";
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
    const agent = openAgent();
    const { places, sets, settings } = agent;
    const report = new Report(toStdout);
    await readIndexBack(agent);
    report.result({
      ...(await sets.list()),
      latest: (await sets.latest()) ?? null,
      schedule: settings.schedule,
      nextBackup: nextRun(settings.schedule),
      lastBackup: (await lastRun(places, "backup")) ?? null,
      drillSchedule: settings.drillSchedule,
      nextDrill: nextRun(settings.drillSchedule),
      lastDrill: (await lastRun(places, "drill")) ?? null,
      // As good as all volumes: a restore is in each, and in that of the databases first.
      kept: await waitingIn(dirname(places.pgdata)),
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

/** `agent verify`: everything of a set is read back again. */
export function verifyCommand(): Command {
  return new Command("verify")
    .description("Read a set back, all of it, and compare it with its checksums.")
    .argument("[set]", "its name (default: the newest)")
    .action(async (name: string | undefined) => {
      const agent = openAgent();
      const report = new Report(toStdout);
      await withRepositoryLock(agent.places, "verification", () => verify(agent, name, report));
    });
}

/** What is damaged is no longer called good, and the newest that is takes its place. */
async function verify(agent: Agent, name: string | undefined, report: Report): Promise<void> {
  await readIndexBack(agent);
  const { sets } = await agent.sets.list();
  const manifest = name === undefined ? sets.at(-1) : sets.find(({ set }) => set === name);
  if (manifest === undefined)
    throw new CommandError(
      name === undefined ? "There is no set to verify." : `There is no set "${name}".`,
      "Make one: ./mlops backup; ./mlops backups lists those that there are.",
    );
  try {
    await report.step("verify", (doing) => readBack(agent, manifest, doing));
  } catch (error) {
    const latest = await markDamaged(agent, manifest, error);
    throw new CommandError(
      `The set ${manifest.set} is damaged: ${messageOf(error)}.`,
      latest === undefined
        ? "There is no other good one: make a new one now (./mlops backup), and look at the disk."
        : `The newest good set is ${latest}. Make a new one now (./mlops backup), and look at the disk.`,
      { cause: error },
    );
  }
  report.result({ set: manifest.set });
}
