import type { RestoreResult } from "../../backup/restore/restore";
import { listSets } from "../backup/list";
import { makeBackup } from "../backup/make";
import type { Context } from "../context";
import { deploy } from "../deployment";
import { CommandError } from "../errors";
import { toSeconds } from "../format";
import { InterruptedError } from "../operation";
import { checkBeforeDeployment } from "../preflight";
import { readReleases } from "../release/ledger";
import { runStep } from "../step";
import { withStackLock } from "../stack-lock";
import { openBackedUp, restorerOf, type ReadyStack } from "./ready";
import type { Restorer } from "./restorer";
import { requireKnownSchema } from "./schema";
import { finishSwitch, switchVolumes, type Switch } from "./switch";
import { verifyModels, type VerifiedModel } from "./verify-models";
import { missingVolumes, targetVolumes } from "./volumes";

/** What is restored into the stack that it came from. */
export interface RestoreRequest {
  readonly stack: string;
  /** Which state, in the agent's words, such as `["--set", "latest"]`. */
  readonly wish: readonly string[];
  /** Whether a stack that is up is taken down for it. */
  readonly replace: boolean;
  /** Whether it is backed up first where it is up. */
  readonly safety: boolean;
  /** Command that does it again. */
  readonly retry: string;
}

/** What was restored, and runs now. */
export interface RestoreReport extends RestoreResult {
  readonly stack: string;
  readonly verified: readonly VerifiedModel[];
  /** From the command's start until the stack served with what was restored. */
  readonly seconds: number;
  /** For which the stack did not serve. */
  readonly downtimeSeconds: number;
}

/**
 * Restores the data of a stack: beside what is live and proved first, then switched to, and the
 * stack brought up on it. What was live stays in the volumes until somebody says otherwise, and is
 * live again where the stack does not come up on what was restored.
 *
 * @throws CommandError; then what was live before is live, or nothing was touched.
 */
export async function restoreStack(
  caller: Context,
  request: RestoreRequest,
): Promise<RestoreReport> {
  const { stack: name, retry } = request;
  return withStackLock(caller, name, retry, async () => {
    const begun = performance.now();
    const ready = await openBackedUp(caller, name, retry);
    await finishSwitch(ready.context, ready.tools, name, retry);
    const wish = await prepare(ready, request);
    const restorer = await restorerOf(ready);
    const id = new Date().toISOString().slice(0, 19).replaceAll(/[-:]/g, "") + "Z";
    const restored = await restoreBeside(ready, restorer, id, wish);
    const stopped = performance.now();
    await goLive(ready, restorer, id);
    const ended = performance.now();
    const verified = await verifyModels(ready.context, ready.tools, { stack: name, retry });
    return {
      ...restored,
      stack: name,
      verified,
      seconds: toSeconds(ended - begun),
      downtimeSeconds: toSeconds(ended - stopped),
    };
  });
}

/** The agent's word for the newest good set. */
export const LATEST = "latest";

/**
 * Everything that can be refused is refused here; then what is live is backed up.
 *
 * @returns the wish, in which the newest set is that from before this backup.
 */
async function prepare(
  { context, tools, stack, config, retry }: ReadyStack,
  { wish, replace, safety }: RestoreRequest,
): Promise<readonly string[]> {
  const { stack: name } = config;
  const running = await tools.docker.listContainers({
    filters: { label: [`mlops.stack=${name}`] },
  });
  const isUp = running.some(({ Labels }) => Labels["mlops.task"] === undefined);
  if (isUp && !replace)
    throw new CommandError(
      `Stack "${name}" is up; nothing was changed.`,
      `To look at a backup beside it, use --into NEWSTACK. To put a backup in the place of its data, which takes it down for about a minute and keeps what it has now: ${retry} --replace`,
    );
  const missing = await missingVolumes(
    tools.docker,
    targetVolumes(name).map(({ volume }) => volume),
  );
  if (missing.length > 0)
    throw new CommandError(
      `Stack "${name}" does not have the volumes ${missing.join(", ")}; nothing was changed.`,
      `Let them be made, then restore: ./mlops up --stack ${name}, and this command with --replace.`,
    );
  await checkBeforeDeployment(context, tools, config, await readReleases(tools, stack), retry);
  if (!isUp || !safety) return wish;
  const title = `Looking for backups of ${name}`;
  const { latest } = await runStep(context, { name: "backups", title, retry }, (step) =>
    listSets(tools, name, step),
  );
  try {
    await makeBackup(context, tools, stack, "safety", retry);
  } catch (error) {
    if (!(error instanceof CommandError) || error instanceof InterruptedError) throw error;
    throw new CommandError(
      `What is live could not be backed up first, and was not touched. ${error.problem}`,
      `Correct that, or go on without: what is live stays in the volumes in any case, to go back to it: ${retry} --no-safety`,
      { cause: error },
    );
  }
  return latest === null ? wish : wish.map((word) => (word === LATEST ? latest : word));
}

async function restoreBeside(
  ready: ReadyStack,
  restorer: Restorer,
  id: string,
  wish: readonly string[],
): Promise<RestoreResult> {
  const { context, config, retry } = ready;
  const title = `Restoring ${config.stack} beside what is live`;
  return runStep(context, { name: "restore", title, retry }, async (step) => {
    const restored = await restorer.restore(id, wish, step);
    try {
      await requireKnownSchema(ready, restored, step);
    } catch (error) {
      await restorer.forget(id, step);
      throw error;
    }
    return restored;
  });
}

/** Switches to a restore, and back where the stack does not come up on it. */
async function goLive(ready: ReadyStack, restorer: Restorer, id: string): Promise<void> {
  await switchTo(ready, restorer, id, "restored");
  try {
    await bringUp(ready);
  } catch (error) {
    if (!(error instanceof CommandError) || error instanceof InterruptedError) throw error;
    ready.context.terminal.note(
      "The stack does not come up on what was restored; what was live before it comes back.",
    );
    await switchTo(ready, restorer, id, "before");
    await bringUp(ready);
    throw new CommandError(
      `The stack did not come up on what was restored, and runs on what was live before again. ${error.problem}`,
      `When the cause is gone, run the command again: ${ready.retry}`,
      { cause: error },
    );
  }
}

/** Makes the data of a restore live, or what was live before it. The stack has to be brought up then. */
export async function switchTo(
  { context, tools, config, retry }: ReadyStack,
  restorer: Restorer,
  id: string,
  direction: Switch["direction"],
): Promise<void> {
  const { stack } = config;
  const title = direction === "restored" ? "Switching to what was restored" : "Switching back";
  await runStep(context, { name: "switch", title, retry }, (step) =>
    switchVolumes(tools.docker, restorer, { stack, id, direction }, step),
  );
}

/** Brings a stack up on other data than it had, as it ran. */
export async function bringUp({ context, again, config }: ReadyStack): Promise<void> {
  const { stack } = config;
  const retry = `./mlops up --stack ${stack}`;
  // That its data is touched is what was asked for.
  await deploy(context, { stack, retry, ...again, yes: true, allowData: true });
}
