import { stripVTControlCharacters, styleText } from "node:util";
import type { WriteStream } from "node:tty";

/** A stream that may or may not be a terminal. */
export type Output = Pick<WriteStream, "write"> & {
  readonly isTTY?: boolean | undefined;
  readonly columns?: number | undefined;
};

/** A named text style, such as `bold` or `red`. */
export type Style = "bold" | "dim" | "red" | "green" | "yellow" | "cyan";

/**
 * Where a command writes: results to standard output, everything said on the way to standard
 * error, so that the results can be piped. Colours only reach terminals, and never when the
 * caller sets `NO_COLOR` (no-color.org).
 */
export class Terminal {
  /** Whether the caller wants colours where they can be shown. */
  private readonly colours: boolean;

  constructor(
    readonly stdout: Output,
    readonly stderr: Output,
    env: Readonly<NodeJS.ProcessEnv>,
  ) {
    this.colours = (env["NO_COLOR"] ?? "") === "" && env["TERM"] !== "dumb";
  }

  /** Whether a person watches the progress; a terminal without a width is one that nobody sees. */
  get isInteractive(): boolean {
    return this.stderr.isTTY === true && (this.stderr.columns ?? 0) > 0;
  }

  /** Whether results may contain colours. */
  get hasColours(): boolean {
    return this.colours && this.stdout.isTTY === true;
  }

  /** Writes a line of the result. */
  print(text = ""): void {
    this.stdout.write(`${this.plainUnlessTerminal(text, this.stdout)}\n`);
  }

  /** Writes the result as JSON. */
  printJson(value: unknown): void {
    this.stdout.write(`${JSON.stringify(value, undefined, 2)}\n`);
  }

  /** Says what goes on. */
  note(text: string): void {
    this.stderr.write(`${this.plainUnlessTerminal(text, this.stderr)}\n`);
  }

  /** Styles text; {@link print} and {@link note} take the style out again where it is not wanted. */
  style(style: Style, text: string): string {
    return this.colours ? styleText(style, text, { validateStream: false }) : text;
  }

  private plainUnlessTerminal(text: string, stream: Output): string {
    return stream.isTTY === true && this.colours ? text : stripVTControlCharacters(text);
  }
}
