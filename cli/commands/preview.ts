import { Command } from "commander";
import type { Context } from "../context";
import { renderChanges } from "../preview/changes-table";
import { worst } from "../preview/impact";
import { savePlan } from "../preview/plan";
import { makePlan } from "../preview/plan-check";
import { previewChanges } from "../preview/preview-changes";
import { setUp } from "../setup";
import { openStack } from "../stack";
import { loadConfig } from "../stack-config";
import { summarize } from "../summary";
import { examples, jsonOption, stackOption } from "./options";

interface PreviewOptions {
  readonly stack: string;
  readonly json?: true;
  readonly expectNoChanges?: true;
  readonly savePlan?: string;
}

/** `./mlops preview`: what `up` would do. */
export function previewCommand(context: Context): Command {
  return new Command("preview")
    .description(
      "Show what up would change: the difference of every resource, and what its users notice.",
    )
    .addOption(stackOption())
    .option("--expect-no-changes", "fail if anything would change")
    .option("--save-plan <file>", "save what was shown, for ./mlops deploy --plan to apply exactly")
    .addOption(jsonOption())
    .addHelpText(
      "after",
      examples(
        "TAG=v1.0.0 ./mlops preview --stack prod",
        "TAG=v1.0.0 ./mlops preview --stack prod --save-plan v1.plan",
      ),
    )
    .action((options: PreviewOptions) => preview(context, options));
}

async function preview(context: Context, options: PreviewOptions): Promise<void> {
  const { terminal } = context;
  const retry = `./mlops preview --stack ${options.stack}`;
  const config = loadConfig(context, options.stack);
  const tools = await setUp(context, { retry, images: false });
  const stack = await openStack(context, tools, options.stack, true);
  const { changes, counts, output } = await previewChanges(context, tools, stack, {
    title: `Previewing ${options.stack}`,
    retry,
    options: {
      diff: true,
      color: options.json === undefined && terminal.hasColours ? "always" : "never",
      ...(options.expectNoChanges === undefined ? {} : { expectNoChanges: true }),
    },
  });
  if (options.savePlan !== undefined) {
    const plan = await makePlan({ context, tools, stack, config }, changes);
    await savePlan(options.savePlan, plan);
  }
  if (options.json) {
    terminal.printJson({
      stack: options.stack,
      changes: counts,
      worst: worst(changes),
      classes: changes,
    });
    return;
  }
  terminal.print(output);
  if (changes.length > 0) terminal.print(`\n${renderChanges(terminal, changes)}`);
  terminal.note(summarize(counts, "planned"));
  if (options.savePlan !== undefined)
    terminal.note(
      `Saved as ${options.savePlan}. To apply exactly this: ./mlops deploy --plan ${options.savePlan}`,
    );
}
