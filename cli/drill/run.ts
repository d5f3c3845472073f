import { join } from "node:path";
import { MEASUREMENTS, updateDocument } from "../bench/document";
import { describeMachine, markdownTable } from "../bench/results";
import type { Context } from "../context";
import { ExitCodeError } from "../exit-code";
import { InterruptedError } from "../operation";
import { runStep, type Step } from "../step";
import { renderTable } from "../table";
import { DrillStack } from "./drill-stack";
import type { Findings } from "./findings";

/** A drill on a stack of its own. */
export interface DrillRequest {
  /** Command that runs it again. */
  readonly retry: string;
  /** Number of the app's containers. */
  readonly replicas: number;
}

/** What a drill works with, once its stack serves a model. */
export interface Drill {
  readonly stack: DrillStack;
  /** Aborted when the user stops the drill. */
  readonly signal: AbortSignal;
  /** Runs a step of it, under a name for its log and a title for people. */
  readonly inStep: <T>(name: string, title: string, work: (step: Step) => Promise<T>) => Promise<T>;
}

/** What a drill found, and where. */
export interface Measured {
  readonly machine: string;
  readonly findings: Findings;
}

/**
 * Runs a drill on a stack of its own, which is removed whatever happens.
 *
 * @throws InterruptedError when it was stopped, after the removal.
 */
export async function runDrill(
  context: Context,
  { retry, replicas }: DrillRequest,
  work: (drill: Drill) => Promise<Findings>,
): Promise<Measured> {
  const inStep: Drill["inStep"] = (name, title, work) =>
    runStep(context, { name: `drill-${name}`, title, retry }, work);
  return untilStopped(context, retry, async (signal) => {
    const stack = await DrillStack.create(context, { replicas, retry, signal });
    try {
      const machine = await describeMachine(stack.tools.docker);
      await inStep("prepare", `Making the stack ${stack.name}`, (step) => stack.prepare(step));
      signal.throwIfAborted();
      return { machine, findings: await work({ stack, signal, inStep }) };
    } finally {
      await inStep("removal", `Removing the stack ${stack.name}`, () => stack.remove());
    }
  });
}

/**
 * Does a drill's work, which is told when the user stops it, and cleans up then.
 *
 * @throws InterruptedError when it was stopped, after its end.
 */
export async function untilStopped<T>(
  { terminal }: Pick<Context, "terminal">,
  retry: string,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const interruption = new AbortController();
  const stop = (): void => {
    terminal.note("The drill is being stopped, and what it made removed.");
    interruption.abort();
  };
  process.on("SIGINT", stop).on("SIGTERM", stop);
  try {
    return await work(interruption.signal);
  } catch (error) {
    if (interruption.signal.aborted) throw new InterruptedError("The drill", retry);
    throw error;
  } finally {
    process.off("SIGINT", stop).off("SIGTERM", stop);
  }
}

/** What becomes of a drill's findings. */
export interface ReportOptions {
  /** Print them as JSON. @default false */
  readonly json?: boolean;
  /** Section of the measurements to put them into. @default none */
  readonly section?: string;
  /** Command that found them, for that section. */
  readonly command: string;
}

/**
 * Prints what a drill found.
 *
 * @throws ExitCodeError when it is not what was promised.
 */
export async function reportDrill(
  context: Context,
  { machine, findings }: Measured,
  { json = false, section, command }: ReportOptions,
): Promise<void> {
  const { terminal } = context;
  const { passed, tables, failures, verdict, data } = findings;
  if (json) terminal.printJson({ passed, machine, ...data });
  else {
    for (const table of tables) {
      terminal.print(`\n${terminal.style("bold", table.title)}`);
      terminal.print(renderTable(table.head, table.rows));
    }
    for (const failure of failures) terminal.note(failure);
    terminal.note(`\n${machine}`);
    terminal.print(terminal.style(passed ? "green" : "red", verdict));
  }
  if (section !== undefined) {
    const date = new Date().toISOString().slice(0, 10);
    const head = `Measured ${date} on ${machine}, by \`${command}\`.`;
    const content = [head, ...tables.map(markdownTable)].join("\n\n");
    await updateDocument(join(context.root, MEASUREMENTS), section, content);
  }
  if (!passed) throw new ExitCodeError(1);
}
