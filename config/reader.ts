import { distance } from "fastest-levenshtein";
import type { Variable } from "./environment";
import { ConfigError, type ConfigProblem } from "./error";

/** Raw configuration of one stack, wherever it was read from. */
export interface ConfigSource {
  /** Stack name. */
  readonly stack: string;
  /** Values by full key, such as `mlops:appReplicas`, with the declared defaults filled in. */
  readonly values: Readonly<Record<string, string>>;
  /** Environment variables, with those of `.env` beneath the real ones. */
  readonly environment: Readonly<Record<string, string | undefined>>;
}

/** The namespace of the project's own keys. */
export const NAMESPACE = "mlops";

/** A bound of a whole number or an amount. */
export interface Range {
  readonly min: number;
  /** @default none */
  readonly max?: number;
}

/**
 * Reads typed values by key and collects every problem on the way. A key that is never asked for
 * is unknown, so the list of known keys is the code that reads them and cannot fall behind it.
 */
export class ConfigReader {
  private readonly problems: ConfigProblem[] = [];
  private readonly known = new Set<string>();

  constructor(readonly source: ConfigSource) {}

  /** Text; an environment variable of the given name comes first. */
  text(key: string, variable?: Variable): string {
    this.known.add(key);
    const fromEnvironment = variable === undefined ? undefined : this.source.environment[variable];
    if (fromEnvironment !== undefined && fromEnvironment !== "") return fromEnvironment;
    const value = this.source.values[`${NAMESPACE}:${key}`];
    if (value === undefined) {
      this.report(key, "is not declared", "declare it with a default in Pulumi.yaml");
      return "";
    }
    return value;
  }

  /** Text that must match a pattern. */
  pattern(key: string, pattern: RegExp, expected: string, variable?: Variable): string {
    const value = this.text(key, variable);
    if (!pattern.test(value))
      this.report(
        variable ?? key,
        `"${value}" is not ${expected}`,
        variable === undefined ? this.set(key, "VALUE") : `${variable}=VALUE`,
      );
    return value;
  }

  /** One of a fixed set of words. */
  oneOf<Word extends string>(
    key: string,
    words: readonly [Word, ...Word[]],
    variable?: Variable,
  ): Word {
    const value = this.text(key, variable);
    const word = words.find((candidate) => candidate === value);
    if (word !== undefined) return word;
    this.report(key, `"${value}" is not one of ${words.join(", ")}`, this.set(key, words[0]));
    return words[0];
  }

  /** `true` or `false`. */
  boolean(key: string): boolean {
    return this.oneOf(key, ["true", "false"]) === "true";
  }

  /** A whole number. */
  integer(key: string, range: Range, variable?: Variable): number {
    const text = this.text(key, variable);
    if (!/^-?\d+$/.test(text)) return this.misfit(key, text, "a whole number", range);
    return this.within(key, text, Number(text), range);
  }

  /** A number, such as a share of a CPU. */
  number(key: string, range: Range): number {
    const text = this.text(key);
    if (!/^-?\d+(\.\d+)?$/.test(text)) return this.misfit(key, text, "a number", range);
    return this.within(key, text, Number(text), range);
  }

  /** An amount of memory such as `512MiB` or `2GiB`, in MiB; `0` is none. */
  memory(key: string, range: Range): number {
    const text = this.text(key);
    const match = /^(\d+)(MiB|GiB)$/.exec(text);
    if (text !== "0" && match === null)
      return this.misfit(key, text, "an amount such as 512MiB or 2GiB", range, "512MiB");
    const mebibytes = match === null ? 0 : Number(match[1]) * (match[2] === "GiB" ? 1024 : 1);
    return this.within(key, text, mebibytes, range, " MiB");
  }

  /** Whether nothing is wrong with these keys so far, so that they can be compared. */
  sound(...keys: readonly string[]): boolean {
    return !this.problems.some((problem) => keys.includes(problem.key));
  }

  /** Says that a value is wrong; `fix` is the command that puts it right. */
  report(key: string, problem: string, fix: string): void {
    this.problems.push({ key, problem, fix });
  }

  /** The command that sets a key of this stack. */
  set(key: string, value: string): string {
    return `pulumi config set ${key} ${value} --stack ${this.source.stack}`;
  }

  /**
   * Ends the reading.
   *
   * @throws ConfigError with every problem found, unknown keys included.
   */
  finish(): void {
    for (const full of Object.keys(this.source.values)) {
      if (!full.startsWith(`${NAMESPACE}:`)) continue;
      const key = full.slice(NAMESPACE.length + 1);
      if (this.known.has(key)) continue;
      const near = nearest(key, [...this.known]);
      this.report(
        key,
        `is not a key of this project${near === undefined ? "" : `; did you mean ${near}?`}`,
        `pulumi config rm ${key} --stack ${this.source.stack}`,
      );
    }
    if (this.problems.length > 0) throw new ConfigError(this.source.stack, this.problems);
  }

  private within(key: string, text: string, value: number, range: Range, unit = ""): number {
    if (value >= range.min && (range.max === undefined || value <= range.max)) return value;
    const bounds =
      range.max === undefined
        ? `at least ${range.min}${unit}`
        : `from ${range.min} to ${range.max}${unit}`;
    this.report(key, `${text} is out of range: ${bounds}`, this.set(key, String(range.min)));
    return range.min;
  }

  private misfit(
    key: string,
    text: string,
    expected: string,
    range: Range,
    example = String(range.min),
  ): number {
    this.report(key, `"${text}" is not ${expected}`, this.set(key, example));
    return range.min;
  }
}

/** The known key that differs least, if it is near enough to be what was meant. */
function nearest(key: string, known: readonly string[]): string | undefined {
  const ranked = known
    .map((candidate) => ({ candidate, edits: distance(key, candidate) }))
    .sort((a, b) => a.edits - b.edits);
  const best = ranked[0];
  return best !== undefined && best.edits <= Math.max(2, key.length / 4)
    ? best.candidate
    : undefined;
}
