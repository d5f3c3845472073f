import { readFile } from "node:fs/promises";
import type { Stack } from "@pulumi/pulumi/automation/index.js";
import type { Tools } from "./setup";
import { stateFile } from "./stack";

/** A resource as Pulumi's state records it. */
export interface StateResource {
  readonly urn: string;
  readonly type: string;
  /** What the provider calls it, such as a container ID; components have none. */
  readonly id?: string;
  readonly protect?: boolean;
  readonly inputs?: Readonly<Record<string, unknown>>;
  readonly outputs?: Readonly<Record<string, unknown>>;
  /** Whether it was replaced, and waits to be deleted. */
  readonly delete?: boolean;
}

/** The parts of a stack's state that the commands look at. */
export interface State {
  readonly resources: readonly StateResource[];
  /** Whether a run ended without Pulumi seeing the end of what it had begun. */
  readonly isInterrupted: boolean;
}

interface Snapshot {
  readonly resources?: readonly StateResource[] | null;
  readonly pending_operations?: readonly unknown[] | null;
}

/** Reads a stack's state: from its file where it is in files, else from the backend. */
export async function readState(
  tools: Tools,
  stack: Pick<Stack, "name" | "exportStack">,
): Promise<State> {
  const snapshot = await readSnapshot(tools, stack);
  return {
    resources: snapshot.resources ?? [],
    isInterrupted: (snapshot.pending_operations ?? []).length > 0,
  };
}

async function readSnapshot(
  tools: Tools,
  stack: Pick<Stack, "name" | "exportStack">,
): Promise<Snapshot> {
  const file = stateFile(tools, stack.name);
  if (file === undefined) {
    const exported = (await stack.exportStack()) as { readonly deployment: Snapshot };
    return exported.deployment;
  }
  const content = JSON.parse(await readFile(file, "utf8")) as {
    readonly checkpoint: { readonly latest?: Snapshot };
  };
  return content.checkpoint.latest ?? {};
}

/** Whether a resource is a volume with data, which outlives the stack. */
export function isDataVolume(resource: StateResource): boolean {
  return (
    resource.type === "docker:index/volume:Volume" && labelOf(resource, "mlops.data") !== undefined
  );
}

/** Value of a Docker label that a resource is given; undefined where it has none of that name. */
export function labelOf({ inputs }: StateResource, name: string): string | undefined {
  const labels = inputs?.["labels"];
  if (!Array.isArray(labels)) return undefined;
  return (labels as readonly { readonly label?: string; readonly value?: string }[]).find(
    ({ label }) => label === name,
  )?.value;
}

/** Whether a resource is a generated password, which opens the data that outlives the stack. */
export const isPassword = (resource: StateResource): boolean =>
  resource.type.startsWith("random:index/");
