import type { Config } from "../../config";
import { CommandError } from "../errors";
import type { ClassifiedChange } from "./classify";

/** Changes that touch data were not asked for. */
export class DataChangesError extends CommandError {
  constructor(stack: string, changes: readonly ClassifiedChange[]) {
    const list = changes.map(({ operation, name, why }) => `  ${operation} ${name}: ${why}`);
    super(
      `Stack "${stack}" protects its data, and this would touch it; nothing was changed:\n${list.join("\n")}`,
      "If that is what you want, and there is a backup, run the command again with --allow-data.",
    );
  }
}

/**
 * Refuses changes that touch data on a stack that protects it (`protectData`), unless they were
 * asked for.
 *
 * @param allowData whether the user said `--allow-data`.
 * @throws DataChangesError naming each change.
 */
export function requireAllowedDataChanges(
  config: Pick<Config, "stack" | "data">,
  changes: readonly ClassifiedChange[],
  allowData: boolean,
): void {
  const touching = changes.filter(({ impact }) => impact === "touches data");
  if (config.data.protect && !allowData && touching.length > 0)
    throw new DataChangesError(config.stack, touching);
}
