import { createInterface } from "node:readline";
import type { Step } from "./step";

/** A line of a job's standard output. */
interface JobEvent {
  readonly event: "started" | "progress" | "done" | "failed" | "result";
  /** Of all but `result`. */
  readonly step?: string;
  /** Of `progress`. */
  readonly doing?: string;
}

/** Shows what a job does; returns its result, undefined when it printed none. */
export async function readEvents(output: NodeJS.ReadableStream, step: Step): Promise<unknown> {
  let result: unknown;
  for await (const line of createInterface({ input: output })) {
    step.record(line);
    if (!line.startsWith("{")) continue;
    const event = JSON.parse(line) as JobEvent;
    if (event.event === "result") result = event;
    else if (event.event === "started") step.say(event.step ?? "");
    else if (event.event === "progress") step.say(`${event.step ?? ""}: ${event.doing ?? ""}`);
  }
  return result;
}

/** Logs standard error; returns the last error that is meant for a person. */
export async function readErrors(
  errors: NodeJS.ReadableStream,
  step: Step,
): Promise<string | undefined> {
  const label = "error: ";
  let problem: string | undefined;
  for await (const line of createInterface({ input: errors })) {
    step.record(line);
    if (line.startsWith(label)) problem = line.slice(label.length);
  }
  return problem;
}
