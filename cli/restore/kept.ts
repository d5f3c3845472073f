import type { Context } from "../context";
import { CommandError } from "../errors";
import { runStep } from "../step";
import { withStackLock } from "../stack-lock";
import { openBackedUp, restorerOf, type ReadyStack } from "./ready";
import { bringUp, switchTo } from "./restore";
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
export async function undoRestore(caller: Context, request: KeptRequest): Promise<void> {
  await withRestorer(caller, request, async (ready, restorer) => {
    await requireSwitchedTo(ready, restorer, request.id);
    await switchTo(ready, restorer, request.id, "before");
    await bringUp(ready);
  });
}

/**
 * Deletes what is not live of a restore: what it took the place of, or what was undone.
 *
 * @throws CommandError when the volumes know nothing of that restore.
 */
export async function forgetRestore(caller: Context, request: KeptRequest): Promise<void> {
  const { stack, id, retry } = request;
  await withRestorer(caller, request, async ({ context }, restorer) => {
    const title = `Deleting what ${stack} keeps of the restore ${id}`;
    await runStep(context, { name: "forget", title, retry }, (step) => restorer.forget(id, step));
  });
}

/** Does work on what a stack's volumes keep, which nobody else works on meanwhile. */
function withRestorer(
  caller: Context,
  { stack, retry }: KeptRequest,
  work: (ready: ReadyStack, restorer: Restorer) => Promise<void>,
): Promise<void> {
  return withStackLock(caller, stack, retry, async () => {
    const ready = await openBackedUp(caller, stack, retry);
    await finishSwitch(ready.context, ready.tools, stack, retry);
    await work(ready, await restorerOf(ready));
  });
}

/** Nothing is stopped for an ID that is mistyped, or of a restore that another one lies upon. */
async function requireSwitchedTo(
  { context, config, retry }: ReadyStack,
  restorer: Restorer,
  id: string,
): Promise<void> {
  const title = `Looking what ${config.stack} keeps of restores`;
  const kept = await runStep(context, { name: "kept", title, retry }, (step) =>
    restorer.kept(step),
  );
  const live = kept.findLast(({ phases }) => Object.values(phases).includes("switched"));
  if (live?.id === id) return;
  throw new CommandError(
    `The restore ${id} is not what stack "${config.stack}" runs on; nothing was changed.`,
    live === undefined
      ? "It runs on none that could be undone."
      : `It runs on the restore ${live.id}, and only that can be undone.`,
  );
}
