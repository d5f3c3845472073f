import { Command } from "commander";
import type { Context } from "../context";
import { runOperation } from "../operation";
import { setUp } from "../setup";
import { openStack } from "../stack";
import { loadConfig } from "../stack-config";
import { summarize } from "../summary";
import { examples, jsonOption, stackOption } from "./options";

interface PreviewOptions {
  readonly stack: string;
  readonly json?: true;
  readonly expectNoChanges?: true;
}

/** `./mlops preview`: what `up` would do. */
export function previewCommand(context: Context): Command {
  return new Command("preview")
    .description("Show what up would change, with the difference of every resource.")
    .addOption(stackOption())
    .option("--expect-no-changes", "fail if anything would change")
    .addOption(jsonOption())
    .addHelpText("after", examples("TAG=v1.0.0 ./mlops preview --stack prod"))
    .action((options: PreviewOptions) => preview(context, options));
}

async function preview(context: Context, options: PreviewOptions): Promise<void> {
  const retry = `./mlops preview --stack ${options.stack}`;
  loadConfig(context, options.stack);
  const tools = await setUp(context, { retry, images: false });
  const stack = await openStack(context, tools, options.stack, true);
  const output: string[] = [];
  const progress = await runOperation(
    context,
    tools,
    stack,
    { name: "Preview", title: `Previewing ${options.stack}`, retry, changesState: false },
    (callbacks) =>
      stack.preview({
        ...callbacks,
        diff: true,
        color: options.json === undefined && context.terminal.hasColours ? "always" : "never",
        ...(options.expectNoChanges === undefined ? {} : { expectNoChanges: true }),
        onOutput: (text) => {
          callbacks.onOutput(text);
          output.push(text);
        },
      }),
  );
  if (options.json) context.terminal.printJson({ stack: options.stack, changes: progress.changes });
  else {
    context.terminal.print(output.join("").trim());
    context.terminal.note(summarize(progress.changes, "planned"));
  }
}
