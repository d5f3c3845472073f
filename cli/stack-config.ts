import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { parse } from "yaml";
import { readConfig, type Config } from "../config";
import { readEnvironment, type Environment } from "../config/environment";
import type { Context } from "./context";
import { codeOf, UnknownStackError, UnreadableFileError, messageOf } from "./errors";

/** The part of `Pulumi.yaml` that declares configuration keys. */
interface ProjectFile {
  readonly name: string;
  readonly config?: Readonly<Record<string, { readonly default?: unknown }>>;
}

/** The part of `Pulumi.<stack>.yaml` that holds values. */
interface StackFile {
  readonly config?: Readonly<Record<string, unknown>> | null;
}

/** Names of the stacks that have a committed configuration, sorted. */
export async function committedStacks(context: Context): Promise<string[]> {
  const files = await readdir(context.root);
  return files
    .map((file) => /^Pulumi\.([A-Za-z0-9_.-]+)\.yaml$/.exec(file)?.[1])
    .filter((stack) => stack !== undefined)
    .sort();
}

/**
 * Reads and checks a stack's whole configuration the way the program will, before Pulumi or Docker
 * is asked for anything.
 *
 * @throws UnknownStackError, UnreadableFileError, or ConfigError with every problem at once.
 */
export async function loadConfig(context: Context, stack: string): Promise<Config> {
  const known = await committedStacks(context);
  if (!known.includes(stack)) throw new UnknownStackError(stack, known);
  const project = await readYaml<ProjectFile>(join(context.root, "Pulumi.yaml"));
  const settings = await readYaml<StackFile | null>(join(context.root, `Pulumi.${stack}.yaml`));
  const values: Record<string, string> = {};
  for (const [key, declaration] of Object.entries(project.config ?? {}))
    if (declaration.default !== undefined)
      values[fullKey(project.name, key)] = asText(declaration.default);
  for (const [key, value] of Object.entries(settings?.config ?? {}))
    values[fullKey(project.name, key)] = asText(value);
  return readConfig({ stack, values, environment: environment(context) });
}

function environment(context: Context): Environment {
  const file = join(context.root, ".env");
  try {
    return readEnvironment(file, context.env);
  } catch (error) {
    const cause = error instanceof Error ? error.cause : undefined;
    const reason = codeOf(cause) ?? messageOf(cause ?? error);
    throw new UnreadableFileError(
      file,
      reason,
      `Make it readable: chmod 600 ${file}, or remove it.`,
    );
  }
}

async function readYaml<T>(file: string): Promise<T> {
  try {
    return parse(await readFile(file, "utf8")) as T;
  } catch (error) {
    throw new UnreadableFileError(
      file,
      messageOf(error).split("\n")[0] ?? "",
      "Correct it, or take the committed version back: git checkout -- " + file,
    );
  }
}

/** Pulumi puts the project's name before a key without a namespace. */
const fullKey = (project: string, key: string): string =>
  key.includes(":") ? key : `${project}:${key}`;

/** Configuration values are text to the program, whatever YAML makes of them. */
const asText = (value: unknown): string =>
  typeof value === "string" ? value : JSON.stringify(value);
