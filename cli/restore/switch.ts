import type Docker from "dockerode";
import type { Container, ContainerInfo } from "dockerode";
import type { Context } from "../context";
import { CommandError, statusOf } from "../errors";
import { unframe } from "../healthy";
import { nameOf, serviceOf } from "../services";
import type { Tools } from "../setup";
import { runStep, type Step } from "../step";
import type { Restorer } from "./restorer";

/** Of containers that switch a stack's volumes. */
const TASK = "switch";

/** Services that use the volumes, in the order in which they are stopped: readers before what they read. */
const USERS = ["app", "mlflow", "redis", "postgres"];

/** Which data is to be live in a stack's volumes. */
export interface Switch {
  readonly stack: string;
  /** Of the restore. */
  readonly id: string;
  readonly direction: "restored" | "before";
}

/**
 * Stops what uses the volumes of a stack, and switches them to a restore or back. It is begun by a
 * container that waits to do it: killed at any moment, the next command that works on the stack
 * finishes it, see {@link finishSwitch}. The stack has to be deployed afterwards.
 */
export async function switchVolumes(
  docker: Docker,
  restorer: Restorer,
  { stack, id, direction }: Switch,
  step: Step,
): Promise<void> {
  const back = direction === "before" ? ["--back"] : [];
  const container = await restorer.create(["swap", "--id", id, ...back], {
    name: `mlops-${stack}-${TASK}`,
    labels: { "mlops.task": TASK },
    autoRemove: false,
  });
  await complete(docker, container, stack, step);
}

/**
 * Finishes a switch that a killed command has left: between two sets of data no service may start.
 * Does nothing where there is none.
 */
export async function finishSwitch(
  context: Context,
  { docker }: Pick<Tools, "docker">,
  stack: string,
  retry: string,
): Promise<void> {
  const [begun] = await docker.listContainers({
    all: true,
    filters: { label: [`mlops.stack=${stack}`, `mlops.task=${TASK}`] },
  });
  if (begun === undefined) return;
  const title = `Finishing the switch of data that was stopped on ${stack}`;
  await runStep(context, { name: "switch", title, retry }, (step) =>
    complete(docker, docker.getContainer(begun.Id), stack, step),
  );
}

async function complete(
  docker: Docker,
  container: Container,
  stack: string,
  step: Step,
): Promise<void> {
  await removeUsers(docker, stack, step);
  step.say("switching the volumes");
  const ended = container.wait({ condition: "next-exit" }) as Promise<{ StatusCode: number }>;
  try {
    await container.start();
  } catch (error) {
    // It runs already.
    if (statusOf(error) !== 304) throw error;
  }
  const { StatusCode } = await ended;
  const said = unframe(await container.logs({ stdout: true, stderr: true }));
  step.record(said);
  if (StatusCode !== 0)
    throw new CommandError(
      `The volumes of stack "${stack}" could not be switched (exit code ${StatusCode}): ${/error: (.*)/.exec(said)?.[1] ?? "see the log"}`,
      `Nothing of the data is lost, and no service of it runs. When the cause is gone, finish it with: ./mlops up --stack ${stack}`,
    );
  await container.remove();
}

/** Stops and removes the containers that use the volumes; the next deployment makes them again. */
async function removeUsers(docker: Docker, stack: string, step: Step): Promise<void> {
  const found = await docker.listContainers({
    all: true,
    filters: { label: [`mlops.stack=${stack}`] },
  });
  for (const service of USERS)
    await Promise.all(
      found
        .filter(
          (container) =>
            container.Labels["mlops.task"] === undefined && serviceOf(container) === service,
        )
        .map((container) => stopAndRemove(docker, container, step)),
    );
}

async function stopAndRemove(docker: Docker, container: ContainerInfo, step: Step): Promise<void> {
  step.say(`stopping ${nameOf(container)}`);
  const handle = docker.getContainer(container.Id);
  try {
    // With the time that it was given for that.
    await handle.stop();
  } catch (error) {
    if (statusOf(error) !== 304) throw error;
  }
  // What it has in the state is found to be gone by the deployment.
  await handle.remove({ v: false });
}
