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
 * @throws CommandError before anything is moved, when the restore is not whole.
 */
export async function swap(
  places: readonly Place[],
  direction: Direction,
  report: (doing: string) => void,
): Promise<void> {
  const found: { readonly place: Place; readonly phase: Phase }[] = [];
  for (const place of places) {
    const phase = await place.phase();
    if (phase === "restoring")
      throw new CommandError(
        `The restore ${place.id} is not whole: it was stopped in the volume ${place.volume}. Nothing was moved.`,
        "Run the restore again from its start.",
      );
    // A set without that service leaves its volume as it is.
    if (phase !== undefined) found.push({ place, phase });
  }
  if (found.length === 0)
    throw new CommandError(
      `There is no restore ${places[0]?.id ?? ""}; nothing was moved.`,
      "Run the restore again from its start.",
    );
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
