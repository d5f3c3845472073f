import type { Stack, UpOptions } from "@pulumi/pulumi/automation/index.js";
import type { Config } from "../config";
import type { Context } from "./context";
import { noticeMissingContainers } from "./drift";
import { CommandError } from "./errors";
import { runOperation, type OperationRequest } from "./operation";
import type { Changes, OperationProgress } from "./operation-progress";
import { checkBeforeDeployment, requireFreeSpace } from "./preflight";
import { renderChanges } from "./preview/changes-table";
import { requireAllowedDataChanges } from "./preview/data-changes";
import type { Plan } from "./preview/plan";
import { checkPlan } from "./preview/plan-check";
import { previewChanges } from "./preview/preview-changes";
import { ask } from "./prompt";
import { recover } from "./recovery";
import { abandonCandidates } from "./release/abandon";
import { pruneAfterDeployment } from "./release/retention";
import { lastGood, readReleases, type Release } from "./release/ledger";
import { finishSwitch } from "./restore/switch";
import { setUp, type Tools } from "./setup";
import { recordDuration } from "./setup/durations";
import { openStack } from "./stack";
import { withStackLock } from "./stack-lock";
import { loadConfig, writeStackConfig } from "./stack-config";
import { hasChanges, summarize } from "./summary";

/** What of Pulumi's options a preview and the deployment after it have in common. */
type DeploymentOptions = Pick<UpOptions, "configFile" | "replace">;

/** Rough size of what set-up itself writes: packages, compilers' caches, programs. */
const SET_UP_BYTES = 2 ** 30;

/** What is deployed, and how. */
export interface DeploymentRequest {
  readonly stack: string;
  /** Command that does it again. */
  readonly retry: string;
  /** Variables over the caller's, such as TAG. @default none */
  readonly env?: Readonly<Record<string, string>>;
  /** Configuration over the stack's own, by key without the namespace. @default none */
  readonly config?: Readonly<Record<string, string>>;
  /** URNs of resources that are made anew although nothing asks for it. @default none */
  readonly replace?: readonly string[];
  /** Whether nothing is asked. @default false */
  readonly yes?: boolean;
  /** Whether a state without resources takes over what runs under the stack's name. @default false */
  readonly adopt?: boolean;
  /** Whether changes may touch data that the stack protects. @default false */
  readonly allowData?: boolean;
  /** What has been reviewed; the deployment does that or nothing. @default none */
  readonly plan?: Plan;
  /** Looks at what is known before anything is changed, and throws to stop. @default nothing */
  readonly check?: (ready: ReadyDeployment) => Promise<void>;
}

/** What is known when a deployment may begin. */
export interface ReadyDeployment {
  readonly context: Context;
  readonly tools: Tools;
  readonly stack: Stack;
  readonly config: Config;
  /** The ledger, newest first. */
  readonly releases: readonly Release[];
}

/** What a deployment has done. */
export interface Deployed {
  readonly changes: Changes;
  readonly outputs: Readonly<Record<string, unknown>>;
}

/**
 * Deploys a stack: everything is checked before anything is touched, what a killed run left is
 * cleared away first, and a release that does not pass is taken away again.
 *
 * @throws CommandError; then what served before serves still.
 */
export async function deploy(caller: Context, request: DeploymentRequest): Promise<Deployed> {
  const { stack: name, retry, env = {} } = request;
  const context: Context = { ...caller, env: { ...caller.env, ...env } };
  // In the order of their cost: what can be refused is refused before anything is touched.
  const config = loadConfig(context, name, request.config);
  return withStackLock(context, name, retry, () => deployLocked(context, config, request));
}

async function deployLocked(
  context: Context,
  config: Config,
  request: DeploymentRequest,
): Promise<Deployed> {
  const { stack: name, retry, env = {} } = request;
  await requireFreeSpace(context.cacheDir, SET_UP_BYTES);
  const found = await setUp(context, { retry, images: true });
  const tools: Tools = { ...found, env: { ...found.env, ...env } };
  const stack = await openStack(context, tools, name, true);
  const releases = await readReleases(tools, stack);
  const ready: ReadyDeployment = { context, tools, stack, config, releases };
  await request.check?.(ready);
  await checkBeforeDeployment(context, tools, config, releases, retry);
  await finishSwitch(context, tools, name, retry);
  await recover(context, tools, stack, request.adopt === true, retry);
  await noticeMissingContainers(context, tools, stack, retry);
  const options: DeploymentOptions = {
    ...(request.config === undefined
      ? {}
      : { configFile: await writeStackConfig(context, name, request.config) }),
    ...(request.replace === undefined ? {} : { replace: [...request.replace] }),
  };
  await review(ready, request, options);
  const startedAt = performance.now();
  let progress: OperationProgress;
  try {
    progress = await apply(context, tools, stack, request, options);
  } finally {
    await pruneAfterDeployment(context, tools, stack, config.release.keep);
  }
  await recordFirstDeployment(context, progress, (performance.now() - startedAt) / 1000);
  return { changes: progress.changes, outputs: progress.outputs };
}

async function apply(
  context: Context,
  tools: Tools,
  stack: Stack,
  { retry }: DeploymentRequest,
  options: DeploymentOptions,
): Promise<OperationProgress> {
  const operation: OperationRequest = {
    name: "Deployment",
    title: `Deploying ${stack.name}`,
    retry,
    changesState: true,
  };
  try {
    return await runOperation(context, tools, stack, operation, (callbacks) =>
      stack.up({ ...options, ...callbacks }),
    );
  } catch (error) {
    const { removed, serves } = await abandonCandidates(context, tools, stack);
    for (const name of removed) context.terminal.note(`Removed ${name}: it did not go live.`);
    const live = serves ? lastGood(await readReleases(tools, stack)) : undefined;
    if (live !== undefined) context.terminal.note(`${live.tag} serves as before.`);
    throw error;
  }
}

/** Prints what a deployment did, the way every command that deploys does. */
export function reportDeployment(
  { terminal }: Context,
  stack: string,
  { changes, outputs }: Deployed,
  json: boolean,
): void {
  if (json) {
    terminal.printJson({ stack, changes, outputs });
    return;
  }
  terminal.note(summarize(changes, "done"));
  for (const [output, value] of Object.entries(outputs))
    if (/url$/i.test(output)) terminal.print(`${output.padEnd(10)} ${String(value)}`);
  const flag = stack === "dev" ? "" : ` --stack ${stack}`;
  if (hasChanges(changes))
    terminal.note(
      `Next: ./mlops train${flag} makes a first model, ./mlops predict${flag} asks it, ./mlops status${flag} shows what runs.`,
    );
}

/** Remembers what a first deployment took, in all and by image, for `./mlops bench`. */
async function recordFirstDeployment(
  context: Context,
  { builds, changes }: OperationProgress,
  seconds: number,
): Promise<void> {
  if ((changes["same"] ?? 0) > 0) return;
  for (const [service, buildSeconds] of builds) {
    const step = { name: `image-${service}`, title: `Building the image of ${service}` };
    // What took no time had been built for another stack.
    if (buildSeconds > 1) await recordDuration(context, step, buildSeconds);
  }
  const deployment = { name: "first-deployment", title: "The first deployment, images included" };
  await recordDuration(context, deployment, seconds);
}

/**
 * Looks at what would change before it does: what touches data has to have been asked for, and a
 * person at a terminal is asked before anything that exists is replaced or deleted.
 */
async function review(
  ready: ReadyDeployment,
  request: DeploymentRequest,
  options: DeploymentOptions,
): Promise<void> {
  const { context, tools, stack, config } = ready;
  const { terminal } = context;
  const { plan, retry } = request;
  const allowData = request.allowData === true;
  // What is in a plan has been agreed to; that it touches data has to be said here nonetheless.
  const asks =
    plan === undefined && terminal.isInteractive && process.stdin.isTTY && request.yes !== true;
  if (plan === undefined && !asks && (allowData || !config.data.protect)) return;
  const title = `Looking what changes in ${stack.name}`;
  const { changes, counts } =
    plan === undefined
      ? await previewChanges(context, tools, stack, { title, retry, options })
      : await checkPlan(ready, plan, retry);
  requireAllowedDataChanges(config, changes, allowData);
  if (!asks || !touchesExisting(counts)) return;
  terminal.note(renderChanges(terminal, changes));
  const answer = await ask(terminal, "Go on? [y/N] ");
  if (!/^y(es)?$/i.test(answer))
    throw new CommandError("Not confirmed; nothing was changed.", `To go on: ${retry} --yes`);
}

const touchesExisting = (changes: Changes): boolean =>
  (changes["replace"] ?? 0) + (changes["delete"] ?? 0) > 0;
