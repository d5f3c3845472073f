/** What the agent tells whoever started it, as JSON lines on standard output. */
export type AgentEvent =
  | { readonly event: "started"; readonly step: string }
  /** What the step does now, for people. */
  | { readonly event: "progress"; readonly step: string; readonly doing: string }
  | { readonly event: "done"; readonly step: string; readonly seconds: number }
  | { readonly event: "failed"; readonly step: string }
  /** The last one, of a command that succeeded. */
  | ({ readonly event: "result" } & Readonly<Record<string, unknown>>);

/** Says what a step does now. */
export type Doing = (doing: string) => void;

/** Runs steps, tells their begin and end, and keeps how long they took. */
export class Report {
  private readonly taken: Record<string, number> = {};

  constructor(private readonly tell: (event: AgentEvent) => void) {}

  /** Seconds by step, of those that have ended. */
  get seconds(): Readonly<Record<string, number>> {
    return { ...this.taken };
  }

  /** @throws what the work throws. */
  async step<T>(step: string, work: (doing: Doing) => Promise<T>): Promise<T> {
    this.tell({ event: "started", step });
    const begun = performance.now();
    const doing: Doing = (now) => {
      this.tell({ event: "progress", step, doing: now });
    };
    let result: T;
    try {
      result = await work(doing);
    } catch (error) {
      this.tell({ event: "failed", step });
      throw error;
    }
    const seconds = Math.round(performance.now() - begun) / 1000;
    this.taken[step] = seconds;
    this.tell({ event: "done", step, seconds });
    return result;
  }

  /** The last event. */
  result(fields: Readonly<Record<string, unknown>>): void {
    this.tell({ event: "result", ...fields });
  }
}

/** Tells events as lines of standard output. */
export const toStdout = (event: AgentEvent): void => {
  process.stdout.write(`${JSON.stringify(event)}\n`);
};
