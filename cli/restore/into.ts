import type { RestoreResult } from "../../backup/restore/restore";
import type { Context } from "../context";
import { deploy } from "../deployment";
import { CommandError } from "../errors";
import { toSeconds } from "../format";
import { isReleaseTag } from "../release/release-tag";
import { runStep } from "../step";
import { withStackLock } from "../stack-lock";
import { ensureStackConfig } from "./new-stack";
import { openBackedUp, restorerOf, type ReadyStack } from "./ready";
import type { RestoreReport } from "./restore";
import { verifyModels } from "./verify-models";
import { createTargetVolumes, targetVolumes } from "./volumes";

/** A stack that is made of another's backups. */
export interface IntoRequest {
  /** Stack that made the backups. */
  readonly stack: string;
  /** Stack that is made. */
  readonly into: string;
  /** Which state, in the agent's words, such as `["--set", "latest"]`. */
  readonly wish: readonly string[];
  /** Command that does it again. */
  readonly retry: string;
}

/**
 * Restores a stack's data into a new stack beside it, for looking: nothing of the first is touched.
 *
 * @throws CommandError where the new stack runs or has data.
 */
export async function restoreInto(caller: Context, request: IntoRequest): Promise<RestoreReport> {
  const { stack: from, into, retry } = request;
  if (from === into)
    throw new CommandError(
      `"${into}" is the stack that the backups are of; nothing was changed.`,
      "Name another, or leave --into out to restore in its place.",
    );
  return withStackLock(caller, into, retry, async () => {
    const begun = performance.now();
    const ready = await openBackedUp(caller, from, retry);
    await requireNothingRuns(ready, into);
    if (await ensureStackConfig(caller, into, from))
      caller.terminal.note(
        `Wrote Pulumi.${into}.yaml: the configuration of ${from}, on free ports.`,
      );
    const restored = await fillVolumes(ready, request);
    const isTagGiven = (caller.env["TAG"] ?? "") !== "";
    const env = !isTagGiven && isReleaseTag(restored.version) ? { TAG: restored.version } : {};
    await deploy(caller, {
      stack: into,
      retry: `./mlops up --stack ${into}`,
      env,
      yes: true,
      allowData: true,
    });
    const seconds = toSeconds(performance.now() - begun);
    const verified = await verifyModels(caller, ready.tools, { stack: into, retry });
    return { ...restored, stack: into, verified, seconds, downtimeSeconds: 0 };
  });
}

async function requireNothingRuns({ tools }: ReadyStack, into: string): Promise<void> {
  const found = await tools.docker.listContainers({
    all: true,
    filters: { label: [`mlops.stack=${into}`] },
  });
  if (found.length > 0)
    throw new CommandError(
      `Stack "${into}" exists; nothing was changed.`,
      `Name one that does not, or take it away with its data: ./mlops down --stack ${into} names the volumes, and --delete-data deletes them.`,
    );
}

async function fillVolumes(ready: ReadyStack, { into, wish }: IntoRequest): Promise<RestoreResult> {
  const { context, tools, config, retry } = ready;
  await createTargetVolumes(tools.docker, into);
  const restorer = await restorerOf(ready, targetVolumes(into));
  const title = `Restoring ${config.stack} into ${into}`;
  return runStep(context, { name: "restore", title, retry }, (step) =>
    restorer.restore(into, ["--copy", ...wish], step),
  );
}
