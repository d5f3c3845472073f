import type { Stack } from "@pulumi/pulumi/automation/index.js";
import type Docker from "dockerode";
import type { Context } from "./context";
import { CommandError, statusOf } from "./errors";
import { runOperation } from "./operation";
import type { Tools } from "./setup";
import { readState } from "./state";
import { releaseDeadLocks } from "./state-lock";

/** What runs under the stack's name was not deployed from this state. */
export class ForeignStackError extends CommandError {
  constructor(stack: string, containers: readonly string[]) {
    super(
      `Containers of a stack "${stack}" exist on this Docker host that this project's state knows nothing of: ${containers.join(", ")}.`,
      `If another checkout deploys it, use another stack name here. If the state was lost, take over: ./mlops up --stack ${stack} --adopt (the containers are replaced, data volumes are kept and used).`,
    );
  }
}

/**
 * Clears away what a killed run left on a stack, so that the next one starts from what is really
 * there: its lock, operations that Pulumi began and never saw the end of, and containers and
 * networks that exist but did not make it into the state. Data volumes are never touched.
 *
 * @param adopt whether a state without any resource takes over what runs under the stack's name.
 * @throws StackLockedError, ForeignStackError
 */
export async function recover(
  context: Context,
  tools: Tools,
  stack: Pick<Stack, "name" | "exportStack" | "refresh">,
  adopt: boolean,
  retry: string,
): Promise<void> {
  // In this order nothing that a run in progress has just made can look left behind: what is listed
  // now was made under a lock that is gone in the next line, so the state read last knows it.
  const found = await labelled(tools.docker, stack.name);
  await releaseDeadLocks(context, tools, stack.name);
  const state = await readState(tools, stack);
  if (state.isInterrupted)
    await runOperation(
      context,
      tools,
      stack,
      {
        name: "Recovery",
        title: `Recovering ${stack.name} from an interrupted run`,
        retry,
        changesState: true,
      },
      (options) => stack.refresh({ ...options, clearPendingCreates: true }),
    );
  const known = new Set(state.resources.map((resource) => resource.id));
  const isLeft = (resource: Labelled): boolean => !known.has(resource.id);
  const isFresh = state.resources.length === 0 && !state.isInterrupted;
  if (isFresh && found.containers.length > 0 && !adopt)
    throw new ForeignStackError(
      stack.name,
      found.containers.map((container) => container.name),
    );
  for (const container of found.containers.filter(isLeft)) {
    context.terminal.note(`Removing the container ${container.name}, left by an interrupted run.`);
    await ignoringMissing(tools.docker.getContainer(container.id).remove({ force: true }));
  }
  for (const network of found.networks.filter(isLeft)) {
    context.terminal.note(`Removing the network ${network.name}, left by an interrupted run.`);
    await ignoringMissing(tools.docker.getNetwork(network.id).remove());
  }
}

interface Labelled {
  readonly id: string;
  readonly name: string;
}

/** Containers and networks of a stack on the Docker host, one-off tasks excepted. */
async function labelled(
  docker: Docker,
  stack: string,
): Promise<{ readonly containers: Labelled[]; readonly networks: Labelled[] }> {
  const filters = { label: [`mlops.stack=${stack}`] };
  const [containers, networks] = await Promise.all([
    docker.listContainers({ all: true, filters }),
    docker.listNetworks({ filters }),
  ]);
  return {
    containers: containers
      .filter((container) => container.Labels["mlops.task"] === undefined)
      .map((container) => ({
        id: container.Id,
        name: container.Names[0]?.slice(1) ?? container.Id,
      })),
    networks: networks.map((network) => ({ id: network.Id, name: network.Name })),
  };
}

async function ignoringMissing(removal: Promise<unknown>): Promise<void> {
  try {
    await removal;
  } catch (error) {
    if (statusOf(error) !== 404) throw error;
  }
}
