import type { Stack } from "@pulumi/pulumi/automation/index.js";
import type { Context } from "./context";
import { runOperation } from "./operation";
import type { Tools } from "./setup";
import { readState } from "./state";

/** States of a container that nothing but a person, or Pulumi, starts again. */
const ENDED = new Set(["created", "dead", "exited"]);

/**
 * Has Pulumi look at the Docker host before a deployment where containers that it takes for running
 * were stopped or removed by hand: it compares the program with its state alone, and would find that
 * nothing needs to be done. Where all of them run, this costs one question to Docker.
 *
 * @throws CommandError when Pulumi's refresh fails.
 */
export async function noticeMissingContainers(
  context: Context,
  tools: Tools,
  stack: Pick<Stack, "name" | "exportStack" | "refresh">,
  retry: string,
): Promise<void> {
  const { resources } = await readState(tools, stack);
  const running = new Set(
    (await tools.docker.listContainers({ all: true }))
      .filter(({ State }) => !ENDED.has(State))
      .map(({ Id }) => Id),
  );
  const missing = resources.filter(
    ({ type, id, delete: replaced }) =>
      type === "docker:index/container:Container" &&
      replaced !== true &&
      id !== undefined &&
      !running.has(id),
  );
  if (missing.length === 0) return;
  const names = missing.map(({ urn }) => urn.slice(urn.lastIndexOf("::") + 2));
  context.terminal.note(`Stopped or removed by hand, and to be started: ${names.join(", ")}.`);
  const title = `Looking what is left of ${stack.name}`;
  await runOperation(
    context,
    tools,
    stack,
    { name: "Refresh", title, retry, changesState: true },
    // All of it: networks may have gone with their containers.
    (options) => stack.refresh(options),
  );
}
