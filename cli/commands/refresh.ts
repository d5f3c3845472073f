import { Command } from "commander";
import type { Context } from "../context";
import { runOperation } from "../operation";
import { setUp } from "../setup";
import { openStack } from "../stack";
import { loadConfig } from "../stack-config";
import { withStackLock } from "../stack-lock";
import { summarize } from "../summary";
import { examples, jsonOption, stackOption } from "./options";

interface RefreshOptions {
  readonly stack: string;
  readonly json?: true;
}

/** `./mlops refresh`: bring the state in line with what is really there. */
export function refreshCommand(context: Context): Command {
  return new Command("refresh")
    .description("Compare the recorded state with the Docker host, and correct the record.")
    .addOption(stackOption())
    .addOption(jsonOption())
    .addHelpText("after", examples("./mlops refresh --stack staging"))
    .action((options: RefreshOptions) => {
      const retry = `./mlops refresh --stack ${options.stack}`;
      return withStackLock(context, options.stack, retry, () => refresh(context, options, retry));
    });
}

async function refresh(context: Context, options: RefreshOptions, retry: string): Promise<void> {
  loadConfig(context, options.stack);
  const tools = await setUp(context, { retry, images: false });
  const stack = await openStack(context, tools, options.stack, false);
  const progress = await runOperation(
    context,
    tools,
    stack,
    { name: "Refresh", title: `Refreshing ${options.stack}`, retry, changesState: true },
    (callbacks) => stack.refresh(callbacks),
  );
  if (options.json) context.terminal.printJson({ stack: options.stack, changes: progress.changes });
  else context.terminal.note(summarize(progress.changes, "done"));
}
