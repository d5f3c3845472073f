import { join } from "node:path";
import type { Context } from "../context";
import { CommandError } from "../errors";
import { JobError } from "./job";

/**
 * Runs a job whose errors are meant for whoever started the command.
 *
 * @param name of the step, and so of its log.
 * @throws CommandError with the job's own words; whatever else was thrown, as it is.
 */
export async function explained<T>(
  context: Context,
  name: string,
  run: () => Promise<T>,
): Promise<T> {
  try {
    return await run();
  } catch (error) {
    if (!(error instanceof JobError) || error.problem === undefined) throw error;
    const { problem } = error;
    throw new CommandError(
      problem.charAt(0).toUpperCase() + problem.slice(1),
      `(Its log: ${join(context.stateDir, "logs", `${name}.log`)})`,
      { cause: error },
    );
  }
}
