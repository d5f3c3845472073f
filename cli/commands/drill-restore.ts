import { join } from "node:path";
import { Command } from "commander";
import { updateDocument } from "../bench/document";
import { markdownTable } from "../bench/results";
import type { Context } from "../context";
import { drillRestore, restoreDrillTable } from "../drill/restore";
import { LATEST } from "../restore/restore";
import { renderTable } from "../table";
import { examples, jsonOption, stackOption } from "./options";

interface RestoreOptions {
  readonly stack: string;
  readonly unverified?: true;
  readonly write?: true;
  readonly json?: true;
}

const DOCUMENT = "docs/measurements.md";

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
    .option("--write", `put the result into ${DOCUMENT}`)
    .addOption(jsonOption())
    .addHelpText("after", examples("./mlops drill restore --stack prod"))
    .action((set: string | undefined, options: RestoreOptions) =>
      run(context, set ?? LATEST, options),
    );
}

async function run(context: Context, set: string, options: RestoreOptions): Promise<void> {
  const { terminal, root } = context;
  const { stack, unverified = false, write, json } = options;
  const retry = `./mlops drill restore${set === LATEST ? "" : ` ${set}`} --stack ${stack}`;
  const result = await drillRestore(context, { stack, set, unverified, retry });
  const table = restoreDrillTable(result);
  if (write === true) {
    const date = new Date().toISOString().slice(0, 10);
    const head = `Measured ${date} on ${result.machine}, by \`${retry} --write\`.`;
    const content = [head, markdownTable(table)].join("\n\n");
    await updateDocument(join(root, DOCUMENT), "restores", content);
  }
  if (json === true) {
    terminal.printJson(result);
    return;
  }
  terminal.print(`\n${terminal.style("bold", table.title)}`);
  terminal.print(renderTable(table.head, table.rows));
  terminal.print(
    terminal.style(
      "green",
      `Passed: set ${result.set} was restored and proved in ${result.recoverySeconds} s.`,
    ),
  );
}
