import type { Context } from "../context";
import { CommandError } from "../errors";
import { runStep } from "../step";
import { withStackLock } from "../stack-lock";
import { openBackedUp, restorerOf, type ReadyStack } from "./ready";
import { switchAndDeploy } from "./restore";
import type { Restorer } from "./restorer";
import { finishSwitch } from "./switch";

/** What was live before a restore, which the volumes keep. */
export interface KeptRequest {
  readonly stack: string;
  /** Of the restore. */
  readonly id: string;
  /** Command that does it again. */
  readonly retry: string;
}

/**
 * Takes a restore back: what was live before it is live again, and what was restored is kept.
 *
 * @throws CommandError when the volumes know nothing of that restore.
 */
export async function undoRestore(
  caller: Context,
  { stack, id, retry }: KeptRequest,
): Promise<void> {
  await withStackLock(caller, stack, retry, async () => {
    const ready = await openBackedUp(caller, stack, retry);
    await finishSwitch(ready.context, ready.tools, stack, retry);
    const restorer = await restorerOf(ready);
    await requireSwitchedTo(ready, restorer, id);
    await switchAndDeploy(ready, restorer, id, "before");
  });
}

/** Nothing is stopped for an ID that is mistyped. */
async function requireSwitchedTo(
  { context, config, retry }: ReadyStack,
  restorer: Restorer,
  id: string,
): Promise<void> {
  const title = `Looking what ${config.stack} keeps of restores`;
  const kept = await runStep(context, { name: "kept", title, retry }, (step) =>
    restorer.kept(step),
  );
  const live = kept.filter(({ phases }) => Object.values(phases).includes("switched"));
  if (live.some((restore) => restore.id === id)) return;
  throw new CommandError(
    `No restore ${id} is live on stack "${config.stack}"; nothing was changed.`,
    live.length === 0
      ? "None that could be undone is."
      : `Those that can be undone are: ${live.map((restore) => restore.id).join(", ")}.`,
  );
}

/**
 * Deletes what is not live of a restore: what it took the place of, or what was undone.
 *
 * @throws CommandError when the volumes know nothing of that restore.
 */
export async function forgetRestore(
  caller: Context,
  { stack, id, retry }: KeptRequest,
): Promise<void> {
  await withStackLock(caller, stack, retry, async () => {
    const ready = await openBackedUp(caller, stack, retry);
    await finishSwitch(ready.context, ready.tools, stack, retry);
    const restorer = await restorerOf(ready);
    const title = `Deleting what ${stack} keeps of the restore ${id}`;
    await runStep(ready.context, { name: "forget", title, retry }, (step) =>
      restorer.forget(id, step),
    );
  });
}
