import type { Context } from "../context";
import { PublicApi } from "../public-api";
import { setUp } from "../setup";
import { runStep } from "../step";
import { explained } from "./failure";
import { runJob } from "./job";
import { untilServed } from "./served";

/** Options of `./mlops model rollback`. */
export interface RollbackOptions {
  readonly stack: string;
  readonly json?: true;
}

/** What became of the alias. */
interface RollbackResult {
  readonly model: string;
  readonly alias: string;
  /** The version that has the alias now. */
  readonly version: string;
  /** The version that had it. */
  readonly previous_version: string;
  /** How many copies of the app serve it. */
  readonly replicas: number;
}

/**
 * `./mlops model rollback`: another version takes the alias, and the apps swap to it while they
 * serve.
 *
 * @param version to go to; undefined is the one that had the alias before.
 */
export async function rollBackModel(
  context: Context,
  version: string | undefined,
  options: RollbackOptions,
): Promise<void> {
  const { stack } = options;
  const wanted = version === undefined ? [] : [version];
  const retry = ["./mlops model rollback", ...wanted, `--stack ${stack}`].join(" ");
  const tools = await setUp(context, { retry, images: false });
  const api = await PublicApi.of(context, tools, stack);
  const command = ["model", "rollback", ...wanted];
  const request = { stack, task: "model-rollback", noun: "model rollback", command, retry };
  const title = `Going back to ${version === undefined ? "the model before" : `model version ${version}`} on ${stack}`;
  const result = await runStep(context, { name: "model-rollback", title, retry }, async (step) => {
    const done = await explained(context, "model-rollback", () =>
      runJob<RollbackResult>(tools, request, step),
    );
    // The job has asked every app; this is what users get.
    await untilServed(api, done.version, step);
    return done;
  });
  const { terminal } = context;
  if (options.json) {
    terminal.printJson(result);
    return;
  }
  const { model, previous_version } = result;
  terminal.note(
    result.version === previous_version
      ? `Model ${model} version ${result.version} was served already.`
      : `Model ${model} version ${result.version} is served now instead of version ${previous_version}. To undo: ./mlops model rollback ${previous_version} --stack ${stack}`,
  );
}
