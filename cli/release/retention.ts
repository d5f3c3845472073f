import type { Stack } from "@pulumi/pulumi/automation/index.js";
import type { Context } from "../context";
import { messageOf } from "../errors";
import type { Tools } from "../setup";
import { isHold } from "./hold";
import { readReleases } from "./ledger";
import { pruneReleases } from "./prune";

/**
 * Removes images that no rollback needs any more, at the end of a deployment, whether that went well
 * or not. Spoils none: what could not be removed is said, and the next run tries again.
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
    const { removed, notes } = await pruneReleases(tools.docker, stack.name, releases, keep);
    const names = removed.map(({ reference }) => reference).filter((name) => !isHold(name));
    if (names.length > 0)
      terminal.note(`Removed images that no rollback needs: ${names.join(", ")}.`);
    for (const note of notes) terminal.note(note);
  } catch (error) {
    terminal.note(
      `Old images were left: ${messageOf(error)} To try again: ./mlops prune --stack ${stack.name}`,
    );
  }
}
