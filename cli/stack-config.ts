import { mkdir, readFile, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { parseDocument } from "yaml";
import { readConfig, type Config } from "../config";
import { readEnvironment } from "../config/environment";
import { ConfigFileError } from "../config/error";
import { knownStacks, stackSource } from "../config/project";
import { NAMESPACE } from "../config/reader";
import type { Context } from "./context";
import { UnknownStackError, UnreadableFileError } from "./errors";

/**
 * Writes a copy of a stack's configuration file with other values, for a run of Pulumi that is not to
 * touch the stack's own.
 *
 * @param values by key without the namespace.
 * @returns path of the copy.
 */
export async function writeStackConfig(
  context: Context,
  stack: string,
  values: Readonly<Record<string, string>>,
): Promise<string> {
  const file = parseDocument(await readFile(join(context.root, `Pulumi.${stack}.yaml`), "utf8"));
  for (const [key, value] of Object.entries(namespaced(values))) file.setIn(["config", key], value);
  const copy = join(context.stateDir, "config", `Pulumi.${stack}.yaml`);
  await mkdir(dirname(copy), { recursive: true, mode: 0o700 });
  await writeFile(copy, file.toString());
  return copy;
}

/** Keys as configuration files have them. */
const namespaced = (values: Readonly<Record<string, string>>): Record<string, string> =>
  Object.fromEntries(Object.entries(values).map(([key, value]) => [`${NAMESPACE}:${key}`, value]));

/**
 * Reads and checks a stack's whole configuration the way the program will, before Pulumi or Docker
 * is asked for anything.
 *
 * @throws UnknownStackError, UnreadableFileError, or ConfigError with every problem at once.
 */
export function loadConfig(
  context: Context,
  stack: string,
  values: Readonly<Record<string, string>> = {},
): Config {
  const known = knownStacks(context.root);
  if (!known.includes(stack)) throw new UnknownStackError(stack, known);
  try {
    const environment = readEnvironment(join(context.root, ".env"), context.env);
    const source = stackSource(context.root, stack, environment);
    return readConfig({ ...source, values: { ...source.values, ...namespaced(values) } });
  } catch (error) {
    if (!(error instanceof ConfigFileError)) throw error;
    throw new UnreadableFileError(error.file, error.reason, error.fix);
  }
}
