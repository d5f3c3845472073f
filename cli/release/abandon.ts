import type { Stack } from "@pulumi/pulumi/automation/index.js";
import type Docker from "dockerode";
import type { Context } from "../context";
import { messageOf } from "../errors";
import type { Tools } from "../setup";
import { labelOf, type StateResource } from "../state";
import { serviceContainers } from "../services";
import { Routes } from "./routes";

interface Deployment {
  readonly resources?: StateResource[];
}

/** What was left of a stack after a release that did not pass. */
export interface Aftermath {
  /** Names of the containers that were removed. */
  readonly removed: readonly string[];
  /** Whether the containers that served before serve still. */
  readonly serves: boolean;
}

/**
 * Takes away the containers of a release that did not go live, and lets the state say again that
 * those which serve are the ones that belong: Pulumi counts a container as replaced as soon as its
 * successor has started, long before that has passed its gate.
 */
export async function abandonCandidates(
  context: Context,
  tools: Tools,
  stack: Pick<Stack, "name" | "exportStack" | "importStack">,
): Promise<Aftermath> {
  try {
    const routes = await Routes.of(tools.docker, stack.name);
    const live = await routes.live();
    if (live === undefined) return { removed: [], serves: false };
    const serves = await isRunning(tools.docker, stack.name, live);
    const exported = await stack.exportStack();
    const { resources = [] } = exported.deployment as Deployment;
    const kept = withoutCandidates(resources, live);
    const candidates = resources.filter(
      ({ urn, id }) => !kept.some((other) => other.urn === urn && other.id === id),
    );
    if (candidates.length === 0) return { removed: [], serves };
    await stack.importStack({
      ...exported,
      deployment: { ...(exported.deployment as object), resources: kept },
    });
    const removed = await Promise.all(candidates.map(({ id }) => remove(tools, id ?? "")));
    await routes.abandonTrial();
    await routes.closeOthers();
    return { removed, serves };
  } catch (error) {
    // What the release failed of matters more; the next deployment clears away what is left here.
    context.terminal.note(`The containers of the release were left: ${messageOf(error)}`);
    return { removed: [], serves: false };
  }
}

async function isRunning(docker: Docker, stack: string, generation: string): Promise<boolean> {
  const app = await serviceContainers(docker, stack, "app");
  return app.some(
    ({ Labels, State }) => Labels["mlops.generation"] === generation && State === "running",
  );
}

/**
 * The same resources, where a container of the live generation that waits to be deleted is the
 * present one again, in the place of one that is not live.
 *
 * @param live label `mlops.generation` of the containers that serve.
 */
export function withoutCandidates(
  resources: readonly StateResource[],
  live: string,
): StateResource[] {
  const restored = new Map<string, StateResource>();
  for (const resource of resources)
    if (resource.delete === true && generationOf(resource) === live)
      restored.set(resource.urn, resource);
  for (const resource of resources)
    if (resource.delete !== true && generationOf(resource) === live) restored.delete(resource.urn);
  // In the place of its successor: a state lists everything after what it depends on.
  return resources
    .filter((resource) => restored.get(resource.urn) !== resource)
    .map((resource) => {
      const before = resource.delete === true ? undefined : restored.get(resource.urn);
      return before === undefined ? resource : { ...before, delete: false };
    });
}

/** Generation that a container was started for; undefined for every other resource. */
const generationOf = (resource: StateResource): string | undefined =>
  labelOf(resource, "mlops.generation");

async function remove({ docker }: Tools, id: string): Promise<string> {
  const container = docker.getContainer(id);
  const { Name } = await container.inspect();
  await container.remove({ force: true });
  return Name.replace(/^\//, "");
}
