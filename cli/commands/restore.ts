import { Command, Option } from "commander";
import { rowsOf } from "../../backup/manifest";
import type { Context } from "../context";
import { CommandError } from "../errors";
import { formatDuration } from "../format";
import { restoreInto } from "../restore/into";
import { forgetRestore, undoRestore } from "../restore/kept";
import { parseMoment } from "../restore/moment";
import { LATEST, restoreStack, type RestoreReport } from "../restore/restore";
import { examples, jsonOption, stackOption } from "./options";

interface RestoreOptions {
  readonly stack: string;
  readonly at?: Date;
  readonly end?: true;
  readonly unverified?: true;
  readonly replace?: true;
  readonly safety: boolean;
  readonly into?: string;
  readonly undo?: string;
  readonly forget?: string;
  readonly json?: true;
}

/** `./mlops restore`: a stack on the data of one of its backups. */
export function restoreCommand(context: Context): Command {
  return new Command("restore")
    .description(
      "Put a backup in the place of a stack's data, or into a new stack beside it. It is restored " +
        "beside what is live and proved first; only then the stack is stopped, switched to it and " +
        "brought up again. What was live is kept, and comes back if that fails.",
    )
    .argument("[set]", "set of backups; ./mlops backups lists them (default: the newest good one)")
    .addOption(stackOption())
    .addOption(
      new Option(
        "--at <moment>",
        "the databases as they were then, with its offset from UTC",
      ).argParser(parseMoment),
    )
    .addOption(
      new Option("--end", "the databases up to the last change that reached the archive").conflicts(
        "at",
      ),
    )
    .option("--unverified", "take sets that were not verified or are incomplete, too")
    .option("--replace", "also where the stack is up: it does not serve for about a minute")
    .option("--no-safety", "do not back up first what is live")
    .addOption(
      new Option("--into <stack>", "into a new stack, for looking").conflicts([
        "replace",
        "safety",
      ]),
    )
    .addOption(
      new Option("--undo <restore>", "go back to what was live before that restore").conflicts([
        "into",
        "forget",
        "at",
        "end",
      ]),
    )
    .addOption(
      new Option(
        "--forget <restore>",
        "delete for good what that restore took the place of",
      ).conflicts(["into", "at", "end"]),
    )
    .addOption(jsonOption())
    .addHelpText(
      "after",
      examples(
        "./mlops restore --stack prod --replace",
        "./mlops restore 20261123T030000Z --stack prod --into look",
        "./mlops restore --at '2026-11-23 09:00:00+00' --stack prod --replace",
      ),
    )
    .action((set: string | undefined, options: RestoreOptions) => run(context, set, options));
}

async function run(
  context: Context,
  set: string | undefined,
  options: RestoreOptions,
): Promise<void> {
  const { terminal } = context;
  const { stack, undo, forget } = options;
  const kept = undo ?? forget;
  const isMoment = options.at !== undefined || options.end === true;
  if (set !== undefined && (isMoment || kept !== undefined))
    throw new CommandError(
      "A set and a moment, or an earlier restore, cannot be wanted at once; nothing was changed.",
      "Name one of them; see ./mlops restore --help",
    );
  if (kept !== undefined) {
    const retry = `./mlops restore ${undo === undefined ? "--forget" : "--undo"} ${kept} --stack ${stack}`;
    await (undo === undefined ? forgetRestore : undoRestore)(context, { stack, id: kept, retry });
    if (options.json === true) terminal.printJson({ stack, restore: kept });
    else
      terminal.note(
        undo === undefined
          ? `What the restore ${kept} had taken the place of is deleted.`
          : `What was live before the restore ${kept} is live again. To delete what was restored: ./mlops restore --forget ${kept} --stack ${stack}`,
      );
    return;
  }
  const wish = wishOf(set, options);
  const retry = ["./mlops restore", ...commandLine(set, options), "--stack", stack].join(" ");
  const report =
    options.into === undefined
      ? await restoreStack(context, {
          stack,
          wish,
          retry,
          replace: options.replace === true,
          safety: options.safety,
        })
      : await restoreInto(context, {
          stack,
          wish,
          into: options.into,
          retry: `${retry} --into ${options.into}`,
        });
  if (options.json === true) terminal.printJson(report);
  else print(context, report, { isInPlace: options.into === undefined, isExact: !isMoment });
}

/** In the agent's words. */
function wishOf(set: string | undefined, { at, end, unverified }: RestoreOptions): string[] {
  const state =
    at !== undefined ? ["--at", at.toISOString()] : end === true ? [] : ["--set", set ?? LATEST];
  return [...state, ...(unverified === true ? ["--unverified"] : [])];
}

/** What was asked for, to be shown where it has to be asked again. */
const commandLine = (
  set: string | undefined,
  { at, end, unverified, replace, safety }: RestoreOptions,
): string[] => [
  ...(set === undefined ? [] : [set]),
  ...(at === undefined ? [] : [`--at ${at.toISOString()}`]),
  ...(end === true ? ["--end"] : []),
  ...(unverified === true ? ["--unverified"] : []),
  ...(replace === true ? ["--replace"] : []),
  ...(safety ? [] : ["--no-safety"]),
];

function print(
  { terminal }: Context,
  report: RestoreReport,
  { isInPlace, isExact }: { readonly isInPlace: boolean; readonly isExact: boolean },
): void {
  const { stack, set, id, databases, lastChange, verified, seconds, downtimeSeconds } = report;
  const golden = verified.reduce((total, { rows }) => total + rows, 0);
  terminal.print(
    [
      isExact
        ? `Stack ${stack} serves what the set ${set} held:`
        : `Stack ${stack} serves what the set ${set} and the log after it held, up to ${lastChange ?? "its end"}:`,
      `  ${rowsOf(databases)} rows${isExact ? ", compared with the set" : ""}; pg_amcheck found no damage`,
      `  ${verified.length} model versions, each opens and answers as recorded (${golden} rows)`,
      `  in ${formatDuration(seconds)}${isInPlace ? `, of which it did not serve for ${formatDuration(downtimeSeconds)}` : ""}`,
    ].join("\n"),
  );
  if (isInPlace)
    terminal.note(
      `What was live before is kept. To go back to it: ./mlops restore --undo ${id} --stack ${stack}. ` +
        `To delete it for good: ./mlops restore --forget ${id} --stack ${stack}`,
    );
}
