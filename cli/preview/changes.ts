import { digest } from "./digest";
import type { EngineEvent, StepEventMetadata } from "@pulumi/pulumi/automation/index.js";

/** What the engine would do with a resource. */
export interface Change {
  readonly urn: string;
  /** Name of the resource, the last part of its URN. */
  readonly name: string;
  /** Such as `docker:index/container:Container`. */
  readonly type: string;
  /** Types of the components around it, from the outside in. */
  readonly components: readonly string[];
  /** `create`, `update`, `replace`, `delete`, or another operation of the engine. */
  readonly operation: string;
  /** Whether a replaced resource is deleted before the new one is there. */
  readonly isStopFirst: boolean;
  /** Top-level inputs that differ, sorted; empty where the engine does not say. */
  readonly differs: readonly string[];
  /** Digest of the inputs that it would get, secrets left out. */
  readonly inputs: string;
  /** Docker labels before and after; empty for what has none. */
  readonly labels: Readonly<Record<string, string>>;
  /** Whether deleting the resource leaves the real thing in place. */
  readonly isRetained: boolean;
  /** Whether a command would be run when the resource is deleted. */
  readonly runsOnDeletion: boolean;
  /** Whether another resource of the same service, such as a second container, stays or comes. */
  readonly hasSuccessor: boolean;
}

/** Steps of the engine that leave a resource as it is. */
const UNCHANGED = new Set(["same", "read", "refresh"]);

/** Steps that belong to a replacement, which is one change. */
const REPLACEMENT = new Set(["create-replacement", "delete-replaced", "replace"]);

/**
 * What a preview says will change, one entry for each real resource: components, stacks and
 * providers are only brackets around them.
 */
export function changesOf(events: readonly EngineEvent[]): readonly Change[] {
  const steps = events
    .map((event) => event.resourcePreEvent?.metadata)
    .filter((step) => step !== undefined)
    .filter((step) => stateOf(step).custom === true && !step.type.startsWith("pulumi:"));
  const changes = new Map<string, Change>();
  for (const step of steps) {
    if (UNCHANGED.has(step.op)) continue;
    const ofResource = steps.filter(({ urn }) => urn === step.urn);
    const isReplaced = ofResource.some(({ op }) => op === "create-replacement");
    const operation = REPLACEMENT.has(step.op) && isReplaced ? "replace" : operationOf(step);
    // The first step that tells the difference stands for the whole replacement.
    const key = `${operation} ${step.urn}`;
    const known = changes.get(key);
    if (known === undefined || known.differs.length === 0)
      changes.set(key, changeOf(step, operation, ofResource, steps));
  }
  return [...changes.values()];
}

/** Without its replacement, what is left of an earlier one is simply deleted. */
const operationOf = ({ op }: StepEventMetadata): string =>
  op === "delete-replaced" ? "delete" : op;

function changeOf(
  step: StepEventMetadata,
  operation: string,
  ofResource: readonly StepEventMetadata[],
  all: readonly StepEventMetadata[],
): Change {
  const [, , types = "", name = ""] = step.urn.split("::");
  const position = (op: string): number => ofResource.findIndex((other) => other.op === op);
  const state = stateOf(step);
  return {
    urn: step.urn,
    name,
    type: step.type,
    components: types.split("$").slice(0, -1),
    operation,
    isStopFirst:
      operation === "replace" &&
      position("delete-replaced") !== -1 &&
      position("delete-replaced") < position("create-replacement"),
    differs: differing(step),
    inputs: digest(described(step.new?.inputs ?? {})),
    labels: labelsOf(step),
    isRetained: (state as { readonly retainOnDelete?: boolean }).retainOnDelete === true,
    runsOnDeletion: step.old?.inputs["delete"] !== undefined,
    hasSuccessor: all.some((other) => isSuccessor(other, step)),
  };
}

const isSuccessor = (other: StepEventMetadata, step: StepEventMetadata): boolean =>
  other !== step &&
  other.type === step.type &&
  other.op !== "delete" &&
  other.op !== "delete-replaced" &&
  labelsOf(other)["mlops.service"] === labelsOf(step)["mlops.service"];

const stateOf = (step: StepEventMetadata): { readonly custom?: boolean } =>
  step.new ?? step.old ?? {};

/**
 * Inputs as the program describes them, without what the bridge to the provider fills in and lists
 * as its own defaults: a name made up anew in every run is among them.
 */
function described(inputs: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const filled: unknown = inputs["__defaults"];
  const left = new Set(["__defaults", ...(Array.isArray(filled) ? (filled as string[]) : [])]);
  return Object.fromEntries(Object.entries(inputs).filter(([key]) => !left.has(key)));
}

/** `envs[0]` and `logOpts["max-size"]` are differences of `envs` and `logOpts`. */
function differing({ diffs, detailedDiff }: StepEventMetadata): string[] {
  const paths = [...(diffs ?? []), ...Object.keys(detailedDiff ?? {})];
  return [...new Set(paths.map((path) => /^[^.[]*/.exec(path)?.[0] ?? path))].sort();
}

function labelsOf(step: StepEventMetadata): Record<string, string> {
  return Object.fromEntries(
    [step.old, step.new].flatMap((state) => {
      const labels: unknown = state?.inputs["labels"];
      if (!Array.isArray(labels)) return [];
      return (labels as readonly { readonly label?: unknown; readonly value?: unknown }[])
        .filter(({ label, value }) => typeof label === "string" && typeof value === "string")
        .map(({ label, value }) => [label, value] as [string, string]);
    }),
  );
}
