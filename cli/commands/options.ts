import { InvalidArgumentError, Option } from "commander";

/** `--stack`, the same for every command. */
export const stackOption = (): Option =>
  new Option("-s, --stack <name>", "stack to work on").default("dev");

/** `--yes`, for commands that change what runs. */
export const yesOption = (): Option =>
  new Option("-y, --yes", "do not ask before something that runs is replaced or deleted");

/** `--allow-data`, for commands that deploy. */
export const allowDataOption = (): Option =>
  new Option("--allow-data", "let changes touch data that the stack protects");

/** `--json`, for commands that print data. */
export const jsonOption = (): Option => new Option("--json", "print the result as JSON");

/** Reads a number of things, of which there is at least one. @throws InvalidArgumentError */
export function parseCount(text: string): number {
  if (!/^[1-9]\d{0,6}$/.test(text)) throw new InvalidArgumentError("Expected 1 to 9999999.");
  return Number(text);
}

/** The part of every help text that shows how the command is used. */
export const examples = (...lines: readonly string[]): string =>
  ["", lines.length === 1 ? "Example:" : "Examples:", ...lines.map((line) => `  ${line}`)].join(
    "\n",
  );
