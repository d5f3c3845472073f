import { join } from "node:path";
import { readConfig, type Config } from "../config";
import { readEnvironment } from "../config/environment";
import { ConfigFileError } from "../config/error";
import { knownStacks, stackSource } from "../config/project";
import type { Context } from "./context";
import { UnknownStackError, UnreadableFileError } from "./errors";

/**
 * Reads and checks a stack's whole configuration the way the program will, before Pulumi or Docker
 * is asked for anything.
 *
 * @throws UnknownStackError, UnreadableFileError, or ConfigError with every problem at once.
 */
export function loadConfig(context: Context, stack: string): Config {
  const known = knownStacks(context.root);
  if (!known.includes(stack)) throw new UnknownStackError(stack, known);
  try {
    const environment = readEnvironment(join(context.root, ".env"), context.env);
    return readConfig(stackSource(context.root, stack, environment));
  } catch (error) {
    if (!(error instanceof ConfigFileError)) throw error;
    throw new UnreadableFileError(error.file, error.reason, error.fix);
  }
}
