import { Command } from "commander";
import { MEASUREMENTS } from "../bench/document";
import type { Context } from "../context";
import { drillRestore } from "../drill/restore";
import { reportDrill } from "../drill/run";
import { LATEST } from "../restore/restore";
import { examples, jsonOption, stackOption } from "./options";

interface RestoreOptions {
  readonly stack: string;
  readonly unverified?: true;
  readonly write?: true;
  readonly json?: true;
}

/** `./mlops drill restore`: what a backup is worth. */
export function drillRestoreCommand(context: Context): Command {
  return new Command("restore")
    .description(
      "Restore a set of a stack's backups where nobody uses it, and prove it: databases equal to " +
        "the dump, pg_amcheck, every file, and every registered model opens and answers as when it " +
        "was registered. The stack serves meanwhile; nothing of the drill stays.",
    )
    .argument("[set]", "set of backups (default: the newest good one)")
    .addOption(stackOption())
    .option("--unverified", "take a set that was not verified or is incomplete, too")
    .option("--write", `put the result into ${MEASUREMENTS}`)
    .addOption(jsonOption())
    .addHelpText("after", examples("./mlops drill restore --stack prod"))
    .action((set: string | undefined, options: RestoreOptions) =>
      run(context, set ?? LATEST, options),
    );
}

async function run(context: Context, set: string, options: RestoreOptions): Promise<void> {
  const { stack, unverified = false, write, json } = options;
  const retry = `./mlops drill restore${set === LATEST ? "" : ` ${set}`} --stack ${stack}`;
  const measured = await drillRestore(context, { stack, set, unverified, retry });
  await reportDrill(context, measured, {
    json: json === true,
    ...(write === true ? { section: "restores" } : {}),
    command: `${retry} --write`,
  });
}
