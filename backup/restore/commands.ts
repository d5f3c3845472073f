import { join } from "node:path";
import { Command, InvalidArgumentError, Option } from "commander";
import { CommandError } from "../../cli/errors";
import { openAgent } from "../agent";
import { Report, toStdout } from "../events";
import { withRepositoryLock } from "../lock";
import { PLACES } from "../settings";
import type { Wish } from "./choose";
import { drill } from "./drill";
import { Place, waitingIn, type Phase } from "./place";
import { restore } from "./restore";
import { swap } from "./swap";
import { TARGET_ROOT, TARGETS } from "./targets";

interface RestoreOptions {
  readonly id: string;
  readonly set?: string;
  readonly at?: Date;
  readonly unverified?: true;
  readonly copy?: true;
}

/** `agent restore`: a state waits in the volumes, beside what is live. */
export function restoreCommand(): Command {
  return new Command("restore")
    .description(
      `Restore beside what is live, into the volumes below ${TARGET_ROOT}, and prove it. Without a set or a moment, up to the last change that reached the archive.`,
    )
    .addOption(idOption())
    .addOption(new Option("--set <name>", "exactly this set; or `latest`").conflicts("at"))
    .option("--at <time>", "the database as it was then, ISO 8601", parseTime)
    .option("--unverified", "take sets that were not verified, too")
    .option("--copy", "for another stack: into empty volumes, and live at once")
    .action(async ({ id, unverified, copy, ...wanted }: RestoreOptions) => {
      const agent = openAgent();
      const report = new Report(toStdout);
      await withRepositoryLock(agent.places, "restore", async () => {
        const restored = await restore(
          agent,
          {
            id,
            wish: wishOf(wanted),
            unverified: unverified === true,
            isCopy: copy === true,
            root: TARGET_ROOT,
          },
          report,
        );
        report.result({ ...restored, seconds: report.seconds });
      });
    });
}

interface DrillOptions {
  readonly set: string;
  readonly into?: string;
  readonly unverified?: true;
}

/** `agent drill`: whether a set can be restored is not found out on the day it must be. */
export function drillCommand(): Command {
  return new Command("drill")
    .description(
      "Restore a set where nobody uses it, prove it, write down how that went, and remove it again.",
    )
    .option("--set <name>", "its name, or `latest`", "latest")
    .option("--into <root>", `into the empty volumes below it, such as ${TARGET_ROOT}; it stays`)
    .option("--unverified", "take a set that was not verified, too")
    .action(async ({ set, into, unverified }: DrillOptions) => {
      const report = new Report(toStdout);
      const restored = await drill(
        openAgent(),
        { set, unverified: unverified === true, ...(into === undefined ? {} : { into }) },
        report,
      );
      report.result({ ...restored, seconds: report.seconds });
    });
}

function wishOf({ set, at }: Pick<RestoreOptions, "set" | "at">): Wish {
  if (set !== undefined) return { kind: "set", set };
  return at === undefined ? { kind: "end" } : { kind: "time", at };
}

/** `agent swap`: what waits becomes live, or what was live before it again. */
export function swapCommand(): Command {
  return new Command("swap")
    .description(
      "Switch all volumes to a restore, or back. Nothing may use them meanwhile. Killed, it is finished by running it again.",
    )
    .addOption(idOption())
    .option("--back", "to what was live before")
    .action(async ({ id, back }: { readonly id: string; readonly back?: true }) => {
      const report = new Report(toStdout);
      await withRepositoryLock(PLACES, "switch to a restore", async () => {
        await requireKnown(id);
        await report.step("swap", (doing) =>
          swap(placesOf(id), back === true ? "before" : "restored", doing),
        );
        report.result({ id });
      });
    });
}

/** What the volumes keep of a restore. */
export interface KeptRestore {
  readonly id: string;
  /** How far it has come, by volume. */
  readonly phases: Readonly<Record<string, Phase>>;
}

/** `agent kept`: every restore that the volumes keep something of, oldest first. */
export function keptCommand(): Command {
  return new Command("kept")
    .description("List the restores of which the volumes keep something beside what is live.")
    .action(async () => {
      const kept: KeptRestore[] = [];
      for (const id of await knownRestores()) {
        const phases: Record<string, Phase> = {};
        for (const place of placesOf(id)) {
          const phase = await place.phase();
          if (phase !== undefined) phases[place.volume] = phase;
        }
        kept.push({ id, phases });
      }
      new Report(toStdout).result({ kept });
    });
}

/** `agent forget`: what a restore took the place of, or what was undone, is deleted. */
export function forgetCommand(): Command {
  return new Command("forget")
    .description("Delete what a restore has left in the volumes beside what is live.")
    .addOption(idOption())
    .action(async ({ id }: { readonly id: string }) => {
      const report = new Report(toStdout);
      await withRepositoryLock(PLACES, "clean-up after a restore", async () => {
        await requireKnown(id);
        for (const place of placesOf(id)) {
          const phase = await place.phase();
          if (phase?.includes("-") === true)
            throw new CommandError(
              `The switch of the restore ${id} was stopped half-way; nothing was deleted.`,
              "Finish it, or undo it, first.",
            );
        }
        await report.step("forget", async (doing) => {
          for (const place of placesOf(id)) {
            doing(place.volume);
            await place.remove();
          }
        });
        report.result({ id });
      });
    });
}

const placesOf = (id: string): Place[] =>
  TARGETS.map(({ name }) => new Place(name, join(TARGET_ROOT, name), id));

/** @throws CommandError naming those that there are. */
async function requireKnown(id: string): Promise<void> {
  const known = await knownRestores();
  if (known.includes(id)) return;
  throw new CommandError(
    `There is no restore ${id}; nothing was changed.`,
    known.length === 0
      ? "The volumes keep nothing of any restore."
      : `The volumes keep something of: ${known.join(", ")}.`,
  );
}

/** IDs of which any volume keeps something, oldest first. */
async function knownRestores(): Promise<string[]> {
  const known = new Set<string>();
  for (const { name } of TARGETS)
    for (const id of await waitingIn(join(TARGET_ROOT, name))) known.add(id);
  return [...known].sort();
}

const idOption = (): Option =>
  new Option("--id <id>", "name of the restore").argParser(parseId).makeOptionMandatory();

/** It becomes the name of a folder. */
function parseId(text: string): string {
  if (/^[0-9A-Za-z][0-9A-Za-z-]*$/.test(text)) return text;
  throw new InvalidArgumentError("Expected letters, digits and dashes.");
}

function parseTime(text: string): Date {
  const time = new Date(text);
  if (Number.isNaN(time.getTime())) throw new InvalidArgumentError("Expected ISO 8601.");
  return time;
}
