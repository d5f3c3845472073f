import { accessSync, constants, existsSync } from "node:fs";
import { config as loadDotenv } from "dotenv";
import { ConfigFileError } from "./error";

/** The variables that come before a stack's own configuration. */
export const VARIABLES = [
  "TAG",
  "REGISTRY",
  "MODE",
  "CANARY",
  "CACHE_TTL",
  "CACHE_MAX_SIZE",
] as const;

/** One of {@link VARIABLES}. */
export type Variable = (typeof VARIABLES)[number];

/** Environment variables of the process, with those of `.env` beneath them. */
export type Environment = Readonly<Record<string, string | undefined>>;

/**
 * The real environment, completed from a file such as `.env`. Nothing is written back to the
 * process, so that a child process never sees more than its caller was given.
 *
 * @param file path of the file; it need not exist.
 * @throws ConfigFileError if the file is there but cannot be read.
 */
export function readEnvironment(file: string, real: Environment): Environment {
  if (!existsSync(file)) return real;
  try {
    accessSync(file, constants.R_OK);
    const fromFile: Record<string, string> = {};
    const { error } = loadDotenv({ path: file, processEnv: fromFile, quiet: true });
    if (error !== undefined) throw error;
    return { ...fromFile, ...real };
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    const fix = `Make it a file that you may read: chmod 600 ${file}, or remove it.`;
    throw new ConfigFileError(file, reason, fix, cause);
  }
}
