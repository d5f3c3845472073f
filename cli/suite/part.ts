import type { Context } from "../context";
import type { Tools } from "../setup";

/** What a part of the test suite runs with. */
export interface SuiteRun {
  readonly context: Context;
  /** Everything the commands need; set up when it is first asked for. */
  readonly tools: () => Promise<Tools>;
  /**
   * Runs a program with its output where this command's output goes.
   *
   * @returns whether it succeeded.
   */
  readonly run: (
    command: string,
    args: readonly string[],
    options?: { readonly cwd?: string; readonly env?: Readonly<Record<string, string>> },
  ) => Promise<boolean>;
}

/** A part of the test suite that can be run on its own. */
export interface Part {
  /** Name for `--only`. */
  readonly name: string;
  readonly description: string;
  /** Resolves to whether everything held. */
  readonly execute: (suite: SuiteRun) => Promise<boolean>;
}
