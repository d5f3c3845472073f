import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { parse } from "yaml";
import type { Environment } from "./environment";
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
  readonly config?: Readonly<Record<string, unknown>>;
}

/** Every key that `Pulumi.yaml` declares, in its order. */
export function declaredKeys(project: string): KeyDeclaration[] {
  const file = parse(readFileSync(join(project, "Pulumi.yaml"), "utf8")) as ProjectFile;
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
    .map((file) => /^Pulumi\.(.+)\.yaml$/.exec(file)?.[1])
    .filter((stack) => stack !== undefined)
    .sort();
}

/**
 * What Pulumi would hand to the program for a stack, read from the files alone: so that it can be
 * checked before Pulumi runs. Encrypted values count as present.
 *
 * @param project folder of `Pulumi.yaml`.
 * @throws Error naming the known stacks if this one has no file.
 */
export function stackSource(
  project: string,
  stack: string,
  environment: Environment,
): ConfigSource {
  const stacks = knownStacks(project);
  if (!stacks.includes(stack))
    throw new Error(
      `There is no stack "${stack}": no Pulumi.${stack}.yaml here. Known stacks: ${stacks.join(", ")}. ` +
        `Choose one of them with --stack, or make a new one by copying its file.`,
    );
  const file = parse(readFileSync(join(project, `Pulumi.${stack}.yaml`), "utf8")) as StackFile;
  const defaults = declaredKeys(project).map(({ key, default: value }): [string, string] => [
    `${NAMESPACE}:${key}`,
    value,
  ]);
  const own = Object.entries(file.config ?? {}).map(([key, value]): [string, string] => [
    key,
    asText(value),
  ]);
  return { stack, values: Object.fromEntries([...defaults, ...own]), environment };
}

/** Configuration values are text to the program, whatever YAML makes of them. */
function asText(value: unknown): string {
  return typeof value === "string" ? value : JSON.stringify(value);
}
