import type { Terminal } from "./terminal";

/** Marks the listeners that bring what runs to an end in good order. */
const ENDS_IN_GOOD_ORDER = Symbol("ends in good order");

/** The signals that ask a command to stop. */
export const STOP_SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP"] as const;

/** Whether an operation is under way that takes care of a signal itself. */
export function isHandled(signal: NodeJS.Signals): boolean {
  // Libraries listen as well, to clean up after themselves when the process ends anyway.
  return process.listeners(signal).some((listener) => ENDS_IN_GOOD_ORDER in listener);
}

/** What {@link watchForInterruption} saw. */
export interface Interruption {
  readonly signal: AbortSignal;
  happened(): boolean;
  dispose(): void;
}

/**
 * Pulumi ends an operation in good order on the first interrupt and at once on the second. A
 * terminal sends ^C to Pulumi as well, so it is passed on only where it reached this process alone.
 */
export function watchForInterruption(terminal: Terminal, operation: string): Interruption {
  const abort = new AbortController();
  let count = 0;
  const stop = (signal: NodeJS.Signals): void => {
    count += 1;
    if (count === 1)
      terminal.note(
        `${operation}: stopping in good order, which may take a moment; once more stops at once.`,
      );
    if (signal === "SIGINT" && process.stdin.isTTY) return;
    if (count > 1) process.exit(130);
    abort.abort();
  };
  const onSignal = Object.assign(stop, { [ENDS_IN_GOOD_ORDER]: true });
  for (const signal of STOP_SIGNALS) process.on(signal, onSignal);
  return {
    signal: abort.signal,
    happened: () => count > 0,
    dispose: () => {
      for (const signal of STOP_SIGNALS) process.off(signal, onSignal);
    },
  };
}
