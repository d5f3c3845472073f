import { CommandError } from "../../cli/errors";
import type { Phase, Place } from "./place";

/** Which of the two is to be live. */
export type Direction = "restored" | "before";

/**
 * Makes what was restored live, or what was live before it, in all volumes. Nothing may use them
 * meanwhile. Killed at any moment, it is finished by running it again, in either direction: each
 * volume's phase says whose entries lie where.
 *
 * @param report told before each rename.
 * @throws CommandError before anything is moved, when a volume does not have a whole restore.
 */
export async function swap(
  places: readonly Place[],
  direction: Direction,
  report: (doing: string) => void,
): Promise<void> {
  const found: { readonly place: Place; readonly phase: Phase }[] = [];
  for (const place of places) {
    const phase = await place.phase();
    if (phase === undefined || phase === "restoring")
      throw new CommandError(
        `The restore ${place.id} is not whole in the volume ${place.volume} (${phase ?? "nothing is there"}); nothing was moved.`,
        "Run the restore again from its start.",
      );
    found.push({ place, phase });
  }
  if (direction === "before" && found.every(({ phase }) => phase === "ready"))
    throw new CommandError(
      `The restore ${places[0]?.id ?? ""} has not been switched to; there is nothing to undo.`,
      "What is live is the data from before it.",
    );
  const move = direction === "restored" ? forth : back;
  for (const { place, phase } of found) await move(place, phase, report);
}

/** From where a kill in the other direction left it, only what that had moved comes back. */
async function forth(place: Place, phase: Phase, report: (doing: string) => void): Promise<void> {
  if (phase === "switched") return;
  if (phase !== "switching-in" && phase !== "undoing-out") {
    await place.setPhase("switching-out");
    await place.move(place.root, place.old, report);
  }
  await place.setPhase("switching-in");
  await place.move(place.new, place.root, report);
  await place.setPhase("switched");
}

async function back(place: Place, phase: Phase, report: (doing: string) => void): Promise<void> {
  if (phase === "undone") return;
  if (phase === "switched" || phase === "switching-in" || phase === "undoing-out") {
    await place.setPhase("undoing-out");
    await place.move(place.root, place.new, report);
  }
  // Where the switch had not come to yet, there is nothing to move.
  await place.setPhase("undoing-in");
  await place.move(place.old, place.root, report);
  await place.setPhase("undone");
}
