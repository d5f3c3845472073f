import type { EngineEvent, PreviewOptions, Stack } from "@pulumi/pulumi/automation/index.js";
import type { Context } from "../context";
import { runOperation } from "../operation";
import type { Changes } from "../operation-progress";
import type { Tools } from "../setup";
import { changesOf } from "./changes";
import { classify, type ClassifiedChange } from "./classify";

/** What {@link previewChanges} is to do. */
export interface PreviewRequest {
  /** What a person reads while it runs, such as `Previewing dev`. */
  readonly title: string;
  /** Command that does it again. */
  readonly retry: string;
  /** Further options for Pulumi, such as `diff` or `configFile`. @default none */
  readonly options?: Omit<PreviewOptions, "onEvent" | "onOutput" | "onError" | "signal">;
}

/** What a preview found. */
export interface PreviewedChanges {
  /** One for each resource that would change. */
  readonly changes: readonly ClassifiedChange[];
  /** Counts by operation, from the engine's own summary. */
  readonly counts: Changes;
  /** What Pulumi printed: with the option `diff`, the difference of every resource. */
  readonly output: string;
}

/** Previews a stack and judges what would change. Changes nothing, and takes no lock. */
export async function previewChanges(
  context: Context,
  tools: Tools,
  stack: Stack,
  request: PreviewRequest,
): Promise<PreviewedChanges> {
  const events: EngineEvent[] = [];
  const output: string[] = [];
  const { title, retry } = request;
  const progress = await runOperation(
    context,
    tools,
    stack,
    { name: "Preview", title, retry, changesState: false },
    (callbacks) =>
      stack.preview({
        ...callbacks,
        ...request.options,
        onEvent: (event) => {
          callbacks.onEvent(event);
          events.push(event);
        },
        onOutput: (text) => {
          callbacks.onOutput(text);
          output.push(text);
        },
      }),
  );
  return {
    changes: classify(changesOf(events)),
    counts: progress.changes,
    output: output.join("").trim(),
  };
}
