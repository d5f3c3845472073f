import type { Stack } from "@pulumi/pulumi/automation/index.js";
import type { Context } from "../context";
import { messageOf } from "../errors";
import type { Tools } from "../setup";
import { readReleases } from "./ledger";
import { pruneReleases } from "./prune";

/**
 * Prunes at the end of a deployment, whether that went well or not. Never fails: what could not be
 * removed is said, and the next run tries again.
 *
 * @param keep number of releases that passed to keep.
 */
export async function pruneAfterDeployment(
  { terminal }: Context,
  tools: Tools,
  stack: Pick<Stack, "name" | "exportStack">,
  keep: number,
): Promise<void> {
  try {
    const releases = await readReleases(tools, stack);
    // Before the first that passes there is nothing to choose from.
    if (!releases.some(({ passed }) => passed)) return;
    const { deletedImages, notes } = await pruneReleases(tools.docker, stack.name, releases, keep);
    if (deletedImages.length > 0)
      terminal.note(
        `Removed ${deletedImages.length === 1 ? "an image" : `${deletedImages.length} images`} of releases older than the ${keep} that are kept.`,
      );
    for (const note of notes) terminal.note(`Pruning: ${note}`);
  } catch (error) {
    terminal.note(
      `Images of old releases were not pruned (${messageOf(error)}). The next deployment does it, or: ./mlops prune --stack ${stack.name}`,
    );
  }
}
