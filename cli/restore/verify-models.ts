import type { Context } from "../context";
import { explained } from "../model/failure";
import { runJob, type JobRequest } from "../model/job";
import type { Tools } from "../setup";
import { runStep } from "../step";

/** A registered version that opened, and answered what was recorded with it. */
export interface VerifiedModel {
  readonly name: string;
  readonly version: string;
  readonly aliases: readonly string[];
  /** Recorded predictions that it answered the same; 0 where none were recorded. */
  readonly rows: number;
}

/** Whose models are asked. */
export interface ModelsRequest {
  readonly stack: string;
  /** Command that does it again. */
  readonly retry: string;
  /** Network on which the registry is. @default the stack's own */
  readonly network?: string;
}

/**
 * Opens every model version of a stack that runs, and asks it what was recorded when it was
 * registered.
 *
 * @throws CommandError naming each version that is not what it was.
 */
export async function verifyModels(
  context: Context,
  tools: Tools,
  { stack, retry, network }: ModelsRequest,
): Promise<readonly VerifiedModel[]> {
  const title = `Asking every model of ${stack} what it answered when it was registered`;
  const request: JobRequest = {
    stack,
    task: "verify-models",
    noun: "verification of the models",
    command: ["verify-models"],
    retry,
    ...(network === undefined ? {} : { network }),
  };
  return runStep(context, { name: "verify-models", title, retry }, async (step) => {
    const { models } = await explained(context, "verify-models", () =>
      runJob<{ readonly models: readonly VerifiedModel[] }>(tools, request, step),
    );
    return models;
  });
}
