import { Command } from "commander";
import type { Stack } from "@pulumi/pulumi/automation/index.js";
import type { Context } from "../context";
import { CommandError } from "../errors";
import { runOperation, type OperationRequest } from "../operation";
import { askEach } from "../prompt";
import { recover } from "../recovery";
import { keepLedger } from "../release/kept-ledger";
import { setUp, type Tools } from "../setup";
import { openStack, runPulumi } from "../stack";
import { withStackLock } from "../stack-lock";
import { isDataVolume, isPassword, readState } from "../state";
import { summarize } from "../summary";
import { examples, jsonOption, stackOption } from "./options";

interface DownOptions {
  readonly stack: string;
  readonly deleteData?: readonly string[];
  readonly json?: true;
}

/** `./mlops down`: stop and remove what runs, keep what cannot be made again. */
export function downCommand(context: Context): Command {
  return new Command("down")
    .description(
      "Stop and remove the stack's containers and networks. Data volumes, and the passwords that " +
        "open them, stay: the next up continues with the same data.",
    )
    .addOption(stackOption())
    .option(
      "--delete-data <volumes...>",
      "also delete these data volumes for good; asks for each name once more",
    )
    .addOption(jsonOption())
    .addHelpText(
      "after",
      examples("./mlops down", "./mlops down --delete-data mlops-dev-prometheus-data"),
    )
    .action((options: DownOptions) => {
      const retry = `./mlops down --stack ${options.stack}`;
      return withStackLock(context, options.stack, retry, () => down(context, options, retry));
    });
}

async function down(context: Context, options: DownOptions, retry: string): Promise<void> {
  const name = options.stack;
  const tools = await setUp(context, { retry, images: false });
  const stack = await openStack(context, tools, name, false);
  const deleted = options.deleteData ?? [];
  await requireDataVolumes(tools, name, deleted);
  await confirmDeletion(context, deleted);
  await recover(context, tools, stack, false, retry);
  const state = await readState(tools, stack);
  await keepLedger(context, name, state);
  const kept = state.resources.filter((resource) => isDataVolume(resource) || isPassword(resource));
  const request: OperationRequest = {
    name: "Removal",
    title: `Taking down ${name}`,
    retry,
    changesState: true,
  };
  const { changes } = await runOperation(context, tools, stack, request, (callbacks) =>
    stack.destroy({ ...callbacks, exclude: kept.map((resource) => resource.urn) }),
  );
  for (const volume of deleted) await deleteVolume(context, tools, stack, volume);
  const volumes = await dataVolumes(tools, name);
  if (options.json) context.terminal.printJson({ stack: name, changes, deleted, kept: volumes });
  else {
    context.terminal.note(summarize(changes, "done"));
    if (volumes.length > 0)
      context.terminal.note(
        `Kept, with all data: ${volumes.join(", ")}. To start it again: ./mlops up --stack ${name}. ` +
          `To delete the data for good: ${retry} --delete-data ${volumes.join(" ")}`,
      );
  }
}

/** Names of the volumes with data that the Docker host has for a stack. */
async function dataVolumes(tools: Tools, stack: string): Promise<string[]> {
  const { Volumes } = await tools.docker.listVolumes({
    filters: { label: [`mlops.stack=${stack}`, "mlops.data=true"] },
  });
  return Volumes.map((volume) => volume.Name).sort();
}

async function requireDataVolumes(
  tools: Tools,
  stack: string,
  named: readonly string[],
): Promise<void> {
  if (named.length === 0) return;
  const known = await dataVolumes(tools, stack);
  const unknown = named.filter((volume) => !known.includes(volume));
  if (unknown.length > 0)
    throw new CommandError(
      `Stack "${stack}" has no data volume ${unknown.join(", ")}; nothing was changed.`,
      `Its data volumes are: ${known.length === 0 ? "none" : known.join(", ")}.`,
    );
}

async function confirmDeletion(context: Context, volumes: readonly string[]): Promise<void> {
  if (volumes.length === 0) return;
  const answers = await askEach(
    context.terminal,
    volumes.map(
      (name) => `All data in ${name} will be gone for good. Type its name to delete it: `,
    ),
  );
  const refused = volumes.filter((name, index) => answers[index] !== name);
  if (refused.length > 0)
    throw new CommandError(
      `The name of ${refused.join(", ")} was not typed; nothing was changed.`,
      "Run the command again, and type each name exactly.",
    );
}

/** Makes Pulumi forget a data volume, then deletes it; killed in between, it is still listed. */
async function deleteVolume(
  context: Context,
  tools: Tools,
  stack: Stack,
  volume: string,
): Promise<void> {
  const { resources } = await readState(tools, stack);
  const recorded = resources.find((resource) => isDataVolume(resource) && resource.id === volume);
  // By the state, not by a deployment: the program never deletes data volumes.
  if (recorded !== undefined)
    await runPulumi(
      context,
      tools,
      "state",
      "delete",
      recorded.urn,
      "--force",
      "--yes",
      "--stack",
      stack.name,
    );
  await tools.docker.getVolume(volume).remove();
  context.terminal.note(`Deleted the data volume ${volume}.`);
}
