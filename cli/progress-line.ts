import type { Ora } from "ora";
import type { Terminal } from "./terminal";

/** How often it is said that something still runs, where no terminal shows it all the time. */
const REPORT_EVERY_SECONDS = 30;
const REDRAW_EVERY_MS = 200;

/**
 * Says what runs and for how long: one line that is drawn anew on a terminal, else plain lines at the
 * start, every half minute, and at the end.
 */
export class ProgressLine {
  private readonly startedAt = performance.now();
  private readonly timer: NodeJS.Timeout;

  private constructor(
    private readonly terminal: Terminal,
    private readonly title: string,
    private readonly doing: () => string,
    private readonly spinner: Ora | undefined,
  ) {
    this.timer = setInterval(
      () => {
        this.report();
      },
      spinner === undefined ? REPORT_EVERY_SECONDS * 1000 : REDRAW_EVERY_MS,
    );
  }

  /**
   * Starts the display.
   *
   * @param title what is done, as a person reads it.
   * @param doing asked for what is done at the moment, "" for nothing in particular.
   */
  static async start(
    terminal: Terminal,
    title: string,
    doing: () => string,
  ): Promise<ProgressLine> {
    if (!terminal.isInteractive) {
      terminal.note(`${title} …`);
      return new ProgressLine(terminal, title, doing, undefined);
    }
    const { default: ora } = await import("ora");
    // With its input discarded, ^C would no longer reach the programs that run meanwhile.
    const spinner = ora({ text: title, stream: process.stderr, discardStdin: false }).start();
    return new ProgressLine(terminal, title, doing, spinner);
  }

  /** Ends the display with the time it took. */
  finish(succeeded: boolean): void {
    clearInterval(this.timer);
    const seconds = secondsSince(this.startedAt);
    if (this.spinner === undefined)
      this.terminal.note(`${this.title}: ${succeeded ? "done in" : "failed after"} ${seconds} s`);
    else if (succeeded) this.spinner.succeed(`${this.title} ${seconds} s`);
    else this.spinner.fail(`${this.title} ${seconds} s`);
  }

  private report(): void {
    const seconds = `${secondsSince(this.startedAt)} s`;
    if (this.spinner === undefined)
      this.terminal.note(`${this.title} … ${seconds}  ${this.doing()}`.trimEnd());
    else
      this.spinner.text = `${this.title} ${seconds}  ${this.terminal.style("dim", this.doing())}`;
  }
}

/** Whole seconds since a time of the monotonic clock in milliseconds. */
export const secondsSince = (startedAt: number): number =>
  Math.round((performance.now() - startedAt) / 1000);
