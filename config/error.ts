/** One thing that is wrong with a stack's configuration. */
export interface ConfigProblem {
  /** Configuration key or environment variable. */
  readonly key: string;
  /** What is wrong with it. */
  readonly problem: string;
  /** Command that fixes it. */
  readonly fix: string;
}

/** Everything that is wrong with a stack's configuration, so that it can be fixed in one go. */
export class ConfigError extends Error {
  override readonly name = "ConfigError";

  constructor(
    readonly stackName: string,
    readonly problems: readonly ConfigProblem[],
  ) {
    const count = problems.length === 1 ? "1 problem" : `${problems.length} problems`;
    super(
      [
        `The configuration of stack "${stackName}" has ${count}; nothing was changed.`,
        ...problems.map(({ key, problem, fix }) => `  ${key}: ${problem}\n    fix: ${fix}`),
      ].join("\n"),
    );
  }
}

/** A file of the configuration that is there but cannot be read or understood. */
export class ConfigFileError extends Error {
  override readonly name = "ConfigFileError";

  constructor(
    readonly file: string,
    readonly reason: string,
    readonly fix: string,
    cause: unknown,
  ) {
    super(`${file} cannot be read (${reason}). ${fix}`, { cause });
  }
}
