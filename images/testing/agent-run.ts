import { execFile } from "node:child_process";

/** How a command of the agent ended. */
export interface AgentRun {
  readonly exitCode: number;
  /** Lines that are JSON objects. */
  readonly events: readonly Readonly<Record<string, unknown>>[];
  /** The last event of a command that succeeded. */
  readonly result: Readonly<Record<string, unknown>>;
  readonly stderr: string;
}

/** Runs docker with a command of the agent. */
export function runAgent(args: readonly string[]): Promise<AgentRun> {
  return new Promise((resolve, reject) => {
    execFile("docker", args, { maxBuffer: 2 ** 26 }, (error, stdout, stderr) => {
      const exitCode = error === null ? 0 : error.code;
      if (typeof exitCode !== "number") {
        reject(new Error("docker did not run", { cause: error }));
        return;
      }
      const events = stdout
        .split("\n")
        .filter((line) => line.startsWith("{"))
        .map((line) => JSON.parse(line) as Record<string, unknown>);
      const last = events.at(-1);
      resolve({ exitCode, events, result: last?.["event"] === "result" ? last : {}, stderr });
    });
  });
}
