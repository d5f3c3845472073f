import { readFile } from "node:fs/promises";
import { hostname, userInfo } from "node:os";
import { join } from "node:path";
import type { Stack } from "@pulumi/pulumi/automation/index.js";
import type { Config } from "../../config";
import { readEnvironment } from "../../config/environment";
import { stackSource } from "../../config/project";
import { releaseReference } from "../../components/release-image";
import type { Context } from "../context";
import { codeOf, CommandError, ImageNotFoundError } from "../errors";
import { inspectImage } from "../images";
import type { Tools } from "../setup";
import { readState } from "../state";
import type { ClassifiedChange } from "./classify";
import { digest } from "./digest";
import { plannedEnvironment, type Plan, type PlannedImage } from "./plan";
import { previewChanges, type PreviewedChanges } from "./preview-changes";

/** What a plan is made of, or compared with. */
export interface PlanSubject {
  readonly context: Context;
  readonly tools: Tools;
  readonly stack: Stack;
  readonly config: Config;
}

/** What was reviewed is not what would happen now. */
export class PlanOutdatedError extends CommandError {
  constructor(plan: Plan, reasons: readonly string[]) {
    super(
      `The plan of ${plan.savedAt} by ${plan.savedBy} does not hold; nothing was changed:\n${reasons.map((reason) => `  ${reason}`).join("\n")}`,
      `Review it anew: ${plan.environment.TAG === "" ? "" : `TAG=${plan.environment.TAG} `}./mlops preview --stack ${plan.stack} --save-plan FILE`,
    );
  }
}

/**
 * Makes the plan of changes that have just been previewed.
 *
 * @throws ImageNotFoundError when the release's image is not on the Docker host, so that nobody
 *   could say what the plan approves.
 */
export async function makePlan(
  subject: PlanSubject,
  changes: readonly ClassifiedChange[],
): Promise<Plan> {
  const { context, tools, stack, config } = subject;
  const { tag } = config.release;
  const image = await releaseImage(subject);
  if (tag !== "" && image === undefined)
    throw new ImageNotFoundError(
      releaseReference(config.release.registry, tag),
      "a plan approves an image by its content, so it has to be there.",
      `Pull it, or build it (./mlops build ${tag}), and preview again.`,
    );
  return {
    stack: stack.name,
    savedAt: new Date().toISOString(),
    savedBy: `${userInfo().username}@${hostname()}`,
    environment: plannedEnvironment(readEnvironment(join(context.root, ".env"), context.env)),
    ...(image === undefined ? {} : { image }),
    config: configDigests(context, stack.name),
    state: await stateDigest(tools, stack),
    program: await programDigest(context),
    // The engine works on many resources at once, in an order of its own.
    changes: [...changes].sort((a, b) => (a.urn < b.urn ? -1 : 1)),
  };
}

/**
 * Makes sure that a plan is one for a stack.
 *
 * @throws PlanOutdatedError
 */
export function requirePlanFor(plan: Plan, stack: string): void {
  if (plan.stack !== stack)
    throw new PlanOutdatedError(plan, [`it is for stack "${plan.stack}", not for "${stack}"`]);
}

/**
 * Makes sure that a deployment would do what its plan says and nothing else: compares everything
 * that the plan follows from, then previews once more and compares every change. Belongs right
 * before the deployment, under the stack's lock, after anything that may change the state.
 *
 * @param subject with the variables of `plan.environment` in the context's and the tools' `env`.
 * @throws PlanOutdatedError with every difference.
 */
export async function checkPlan(
  subject: PlanSubject,
  plan: Plan,
  retry: string,
): Promise<PreviewedChanges> {
  const { context, tools, stack } = subject;
  const refuse = (reasons: readonly string[]): void => {
    if (reasons.length > 0) throw new PlanOutdatedError(plan, reasons);
  };
  requirePlanFor(plan, stack.name);
  const image = await releaseImage(subject);
  refuse([
    ...configDifferences(plan.config, configDigests(context, stack.name)),
    ...(plan.state === (await stateDigest(tools, stack))
      ? []
      : ["the stack has changed since: something was deployed, refreshed or removed"]),
    ...(plan.image?.id === image?.id
      ? []
      : [
          `${plan.image?.reference ?? "the image"} was ${plan.image?.id ?? "not set"} and is now ${image?.id ?? "not there"}`,
        ]),
  ]);
  const title = `Comparing ${stack.name} with its plan`;
  const previewed = await previewChanges(context, tools, stack, { title, retry });
  refuse([
    ...(plan.program === (await programDigest(context))
      ? []
      : ["the program has changed since: another version of this project is checked out"]),
    ...changeDifferences(plan.changes, previewed.changes),
  ]);
  return previewed;
}

/** The image that the release's tag stands for on the Docker host. */
async function releaseImage({ tools, config }: PlanSubject): Promise<PlannedImage | undefined> {
  const { tag, registry } = config.release;
  if (tag === "") return undefined;
  const reference = releaseReference(registry, tag);
  const found = await inspectImage(tools.docker, reference);
  return found === undefined ? undefined : { reference, id: found.Id };
}

/** Of the stack's own values and the defaults; variables are part of the plan as they are. */
function configDigests({ root }: Context, stack: string): Record<string, string> {
  const { values } = stackSource(root, stack, {});
  return Object.fromEntries(Object.entries(values).map(([key, value]) => [key, digest(value)]));
}

function configDifferences(
  planned: Readonly<Record<string, string>>,
  present: Readonly<Record<string, string>>,
): string[] {
  const keys = [...new Set([...Object.keys(planned), ...Object.keys(present)])].sort();
  const changed = keys.filter((key) => planned[key] !== present[key]);
  return changed.length === 0 ? [] : [`the configuration has changed since: ${changed.join(", ")}`];
}

async function stateDigest(tools: Tools, stack: Stack): Promise<string> {
  return digest((await readState(tools, stack)).resources);
}

/** Compiled, so that only what matters counts; after a preview the files are those that it ran. */
async function programDigest({ root }: Context): Promise<string> {
  const bundles = ["runner.cjs", "cli.cjs"].map(async (name) => {
    const text = await readFile(join(root, "dist", name), "utf8").catch((error: unknown) => {
      if (codeOf(error) === "ENOENT") return "";
      throw error;
    });
    // The last line remembers when the sources were saved, see bin/bundle.cjs.
    return text.slice(0, text.lastIndexOf("\n//# inputs="));
  });
  return digest(await Promise.all(bundles));
}

/** What a preview has otherwise than the plan, one line for each resource. */
export function changeDifferences(
  planned: readonly ClassifiedChange[],
  present: readonly ClassifiedChange[],
): string[] {
  const key = ({ operation, urn }: ClassifiedChange): string => `${operation} ${urn}`;
  const say = ({ operation, name }: ClassifiedChange): string => `${operation} ${name}`;
  const before = new Map(planned.map((change) => [key(change), change]));
  const now = new Map(present.map((change) => [key(change), change]));
  return [
    ...planned
      .filter((change) => !now.has(key(change)))
      .map((change) => `not any more: ${say(change)}`),
    ...present
      .filter((change) => !before.has(key(change)))
      .map((change) => `not in the plan: ${say(change)}`),
    ...present
      .filter((change) => {
        const known = before.get(key(change));
        return known !== undefined && known.fingerprint !== change.fingerprint;
      })
      .map((change) => `otherwise than planned: ${say(change)}`),
  ].sort();
}
