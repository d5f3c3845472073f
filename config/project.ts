import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { parse } from "yaml";
import type { Environment } from "./environment";
import { ConfigFileError } from "./error";
import { NAMESPACE, type ConfigSource } from "./reader";

/** A declared configuration key, as `Pulumi.yaml` has it. */
export interface KeyDeclaration {
  /** Name without the project's namespace. */
  readonly key: string;
  readonly type: string;
  readonly default: string;
  readonly description: string;
}

interface ProjectFile {
  readonly config: Readonly<
    Record<string, { type: string; default: unknown; description: string }>
  >;
}

interface StackFile {
  readonly config?: Readonly<Record<string, unknown>> | null;
}

/** Every key that `Pulumi.yaml` declares, in its order. */
export function declaredKeys(project: string): KeyDeclaration[] {
  const file = readYaml(join(project, "Pulumi.yaml")) as ProjectFile;
  return Object.entries(file.config).map(([key, declaration]) => ({
    key,
    type: declaration.type,
    default: asText(declaration.default),
    description: declaration.description,
  }));
}

/** Names of the stacks that have a configuration file. */
export function knownStacks(project: string): string[] {
  return readdirSync(project)
    .map((file) => /^Pulumi\.([A-Za-z0-9_.-]+)\.yaml$/.exec(file)?.[1])
    .filter((stack) => stack !== undefined)
    .sort();
}

/**
 * What Pulumi would hand to the program for a stack, read from the files alone: so that it can be
 * checked before Pulumi runs. Encrypted values count as present.
 *
 * @param project folder of `Pulumi.yaml`.
 * @param stack one of {@link knownStacks}.
 * @throws ConfigFileError if a file cannot be read or is not YAML.
 */
export function stackSource(
  project: string,
  stack: string,
  environment: Environment,
): ConfigSource {
  const file = readYaml(join(project, `Pulumi.${stack}.yaml`)) as StackFile | null;
  const defaults = declaredKeys(project).map(({ key, default: value }): [string, string] => [
    fullKey(key),
    value,
  ]);
  const own = Object.entries(file?.config ?? {}).map(([key, value]): [string, string] => [
    fullKey(key),
    asText(value),
  ]);
  return { stack, values: Object.fromEntries([...defaults, ...own]), environment };
}

function readYaml(file: string): unknown {
  try {
    return parse(readFileSync(file, "utf8"));
  } catch (cause) {
    const reason = (cause instanceof Error ? cause.message : String(cause)).split("\n")[0] ?? "";
    const fix = `Correct it, or take the committed version back: git checkout -- ${file}`;
    throw new ConfigFileError(file, reason, fix, cause);
  }
}

/** Pulumi puts the project's name before a key without a namespace. */
function fullKey(key: string): string {
  return key.includes(":") ? key : `${NAMESPACE}:${key}`;
}

/** Configuration values are text to the program, whatever YAML makes of them. */
function asText(value: unknown): string {
  return typeof value === "string" ? value : JSON.stringify(value);
}
