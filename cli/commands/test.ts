import { Command, InvalidArgumentError } from "commander";
import type { Context } from "../context";
import { ExitCodeError } from "../exit-code";
import { formatDuration } from "../format";
import { InterruptedError } from "../operation";
import { reportError } from "../report";
import { setUp, type SetUpRequest, type Tools } from "../setup";
import { stopOwnEngine } from "../setup/engine";
import type { Part, SuiteRun } from "../suite/part";
import { PARTS } from "../suite/parts";
import { renderTable } from "../table";
import { examples } from "./options";
import { runProgram } from "../exec";

interface TestOptions {
  readonly only?: readonly Part[];
}

interface Outcome {
  readonly name: string;
  readonly passed: boolean;
  readonly seconds: number;
}

/** `./mlops test`: set-up, and everything that must hold. */
export function testCommand(context: Context): Command {
  const list = PARTS.map((part) => `  ${part.name.padEnd(12)} ${part.description}`).join("\n");
  return new Command("test")
    .description("Install what is missing on this machine and run the whole test suite.")
    .option("--only <parts...>", "run these parts only", parsePart)
    .addHelpText("after", `\nParts:\n${list}`)
    .addHelpText("after", examples("./mlops test", "./mlops test --only lint unit"))
    .action((options: TestOptions) => test(context, options));
}

function parsePart(name: string, previous: readonly Part[] | undefined): Part[] {
  const part = PARTS.find((candidate) => candidate.name === name);
  if (part === undefined)
    throw new InvalidArgumentError(`There is ${PARTS.map(({ name }) => name).join(", ")}.`);
  return [...(previous ?? []), part];
}

async function test(context: Context, options: TestOptions): Promise<void> {
  const outcomes: Outcome[] = [];
  const measure = async (name: string, work: () => Promise<boolean>): Promise<boolean> => {
    context.terminal.note(context.terminal.style("bold", `\n== ${name}`));
    const startedAt = performance.now();
    const passed = await work().catch((error: unknown) => {
      reportError(context.terminal, error, context.env);
      return false;
    });
    outcomes.push({ name, passed, seconds: (performance.now() - startedAt) / 1000 });
    return passed;
  };
  let tools: Tools | undefined;
  const engine = { started: false };
  const request: SetUpRequest = {
    retry: "./mlops test",
    images: true,
    onEngineStarted: () => {
      engine.started = true;
    },
  };
  // Whoever stops the suite wants the engine stopped as well, if it is the suite's own.
  const stopping = new AbortController();
  const stop = (): void => {
    stopping.abort();
  };
  process.on("SIGINT", stop).on("SIGTERM", stop);
  const suite: SuiteRun = {
    context,
    tools: async () => (tools ??= await setUp(context, request)),
    run: async (command, args, { cwd = context.root, env = {} } = {}) => {
      const program = await runProgram(command, args, {
        cwd,
        env,
        output: "inherit",
        reject: false,
        signal: stopping.signal,
      });
      // Its own output says why it failed, unless it did not even start.
      if (program.exitCode === undefined && program.message !== undefined)
        context.terminal.note(program.message);
      return !program.failed;
    },
  };
  try {
    const ready =
      options.only !== undefined ||
      (await measure("set-up", async () => {
        await suite.tools();
        return true;
      }));
    for (const part of ready ? (options.only ?? PARTS) : [])
      if (!stopping.signal.aborted) await measure(part.name, () => part.execute(suite));
  } finally {
    if (engine.started) await stopOwnEngine(context);
    process.off("SIGINT", stop).off("SIGTERM", stop);
  }
  report(context, outcomes);
  if (stopping.signal.aborted) throw new InterruptedError("The test suite", "./mlops test");
  if (outcomes.some(({ passed }) => !passed)) throw new ExitCodeError(1);
}

function report(context: Context, outcomes: readonly Outcome[]): void {
  const { terminal } = context;
  terminal.note("");
  terminal.print(
    renderTable(
      ["PART", "RESULT", "TIME"].map((title) => terminal.style("bold", title)),
      outcomes.map(({ name, passed, seconds }) => [
        name,
        passed ? terminal.style("green", "passed") : terminal.style("red", "failed"),
        formatDuration(seconds),
      ]),
    ),
  );
}
