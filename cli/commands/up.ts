import { Command } from "commander";
import type { Stack } from "@pulumi/pulumi/automation/index.js";
import type { Context } from "../context";
import { CommandError } from "../errors";
import { runOperation, type OperationRequest } from "../operation";
import type { Changes, OperationProgress } from "../operation-progress";
import { checkBeforeDeployment, requireFreeSpace } from "../preflight";
import { ask } from "../prompt";
import { recover } from "../recovery";
import { setUp, type Tools } from "../setup";
import { recordDuration } from "../setup/durations";
import { openStack } from "../stack";
import { loadConfig } from "../stack-config";
import { hasChanges, summarize } from "../summary";
import { examples, jsonOption, stackOption } from "./options";

interface UpOptions {
  readonly stack: string;
  readonly yes?: true;
  readonly adopt?: true;
  readonly json?: true;
}

/** Rough size of what set-up itself writes: packages, compilers' caches, programs. */
const SET_UP_BYTES = 2 ** 30;

/** `./mlops up`: set-up where it is missing, then the deployment. */
export function upCommand(context: Context): Command {
  return new Command("up")
    .description("Install what is missing on this machine and deploy the stack.")
    .addOption(stackOption())
    .option("-y, --yes", "do not ask before something that runs is replaced or deleted")
    .option("--adopt", "take over containers of this stack that the state does not know")
    .addOption(jsonOption())
    .addHelpText("after", examples("./mlops up", "TAG=v1.0.0 ./mlops up --stack prod"))
    .action((options: UpOptions) => up(context, options));
}

async function up(context: Context, options: UpOptions): Promise<void> {
  const name = options.stack;
  const retry = `./mlops up --stack ${name}`;
  // In the order of their cost: what can be refused is refused before anything is touched.
  const config = loadConfig(context, name);
  await requireFreeSpace(context.cacheDir, SET_UP_BYTES);
  const tools = await setUp(context, { retry, images: true });
  await checkBeforeDeployment(context, tools, config, retry);
  const stack = await openStack(context, tools, name, true);
  await recover(context, tools, stack, options.adopt === true, retry);
  if (context.terminal.isInteractive && process.stdin.isTTY && options.yes !== true)
    await confirm(context, tools, stack, retry);
  const request: OperationRequest = {
    name: "Deployment",
    title: `Deploying ${name}`,
    retry,
    changesState: true,
  };
  const startedAt = performance.now();
  const progress = await runOperation(context, tools, stack, request, (callbacks) =>
    stack.up(callbacks),
  );
  await recordFirstDeployment(context, progress, (performance.now() - startedAt) / 1000);
  const { outputs } = progress;
  if (options.json) context.terminal.printJson({ stack: name, changes: progress.changes, outputs });
  else {
    context.terminal.note(summarize(progress.changes, "done"));
    for (const [output, value] of Object.entries(outputs))
      if (/url$/i.test(output)) context.terminal.print(`${output.padEnd(10)} ${String(value)}`);
    const flag = name === "dev" ? "" : ` --stack ${name}`;
    context.terminal.note(
      hasChanges(progress.changes)
        ? `Next: ./mlops train${flag} makes a first model, ./mlops predict${flag} asks it, ./mlops status${flag} shows what runs.`
        : "",
    );
  }
}

/** Remembers what a first deployment took, in all and by image, for `./mlops bench`. */
async function recordFirstDeployment(
  context: Context,
  { builds, changes }: OperationProgress,
  seconds: number,
): Promise<void> {
  if ((changes["same"] ?? 0) > 0) return;
  for (const [service, buildSeconds] of builds) {
    const step = { name: `image-${service}`, title: `Building the image of ${service}` };
    // What took no time had been built for another stack.
    if (buildSeconds > 1) await recordDuration(context, step, buildSeconds);
  }
  const deployment = { name: "first-deployment", title: "The first deployment, images included" };
  await recordDuration(context, deployment, seconds);
}

/** Asks before anything that exists is replaced or deleted; what is only new needs no question. */
async function confirm(context: Context, tools: Tools, stack: Stack, retry: string): Promise<void> {
  const request: OperationRequest = {
    name: "Preview",
    title: `Looking what changes in ${stack.name}`,
    retry,
    changesState: false,
  };
  const { changes } = await runOperation(context, tools, stack, request, (callbacks) =>
    stack.preview(callbacks),
  );
  if (!touchesExisting(changes)) return;
  context.terminal.note(`${summarize(changes, "planned")} ./mlops preview shows each difference.`);
  const answer = await ask(context.terminal, "Go on? [y/N] ");
  if (!/^y(es)?$/i.test(answer))
    throw new CommandError("Not confirmed; nothing was changed.", `To go on: ${retry} --yes`);
}

const touchesExisting = (changes: Changes): boolean =>
  (changes["replace"] ?? 0) + (changes["delete"] ?? 0) > 0;
