import { join } from "node:path";
import { Command, InvalidArgumentError } from "commander";
import { updateDocument } from "../bench/document";
import { describeMachine, markdownTable, type ResultTable } from "../bench/results";
import type { Context } from "../context";
import { ComposeRelease } from "../drill/compose";
import { DrillStack } from "../drill/drill-stack";
import { BOUNDARIES, drillKills } from "../drill/kill";
import { drillReleases } from "../drill/release";
import { killFindings, releaseFindings, type Findings } from "../drill/findings";
import { ExitCodeError } from "../exit-code";
import { serveLoad } from "../load/generator";
import { InterruptedError } from "../operation";
import { runStep, type Step } from "../step";
import { renderTable } from "../table";
import { drillRestoreCommand } from "./drill-restore";
import { examples, jsonOption } from "./options";

interface ReleaseOptions {
  readonly cycles: number;
  readonly requests: number;
  readonly rate: number;
  readonly replicas: number;
  readonly compose: boolean;
  readonly kill?: true;
  readonly write?: true;
  readonly json?: true;
}

const DOCUMENT = "docs/measurements.md";
/** Releases by Compose, for comparison. */
const COMPOSE_RELEASES = 4;

/** `./mlops drill`: proofs that take a while, on throw-away stacks. */
export function drillCommand(context: Context): Command {
  return new Command("drill")
    .description("Prove on a throw-away stack of its own what is promised of every stack.")
    .addHelpText("after", examples("./mlops drill release --cycles 3 --requests 10000"))
    .addCommand(releaseCommand(context))
    .addCommand(drillRestoreCommand(context))
    .addCommand(loadCommand(), { hidden: true });
}

function releaseCommand(context: Context): Command {
  return new Command("release")
    .description(
      "Deploy and roll back in turn while requests keep coming, and count what is lost: nothing " +
        "may be. Beside it the same requests while docker-compose replaces the same containers. " +
        "Makes a stack for it and removes it at the end.",
    )
    .option("--cycles <number>", "deployments, each with its rollback; at least", parseCount, 30)
    .option("--requests <number>", "requests; at least", parseCount, 100_000)
    .option("--rate <number>", "requests a second", parseCount, 100)
    .option("--replicas <number>", "containers of the app", parseCount, 1)
    .option("--no-compose", "leave docker-compose out")
    .option("--kill", "instead, kill deployments at the end of each of their steps")
    .option("--write", `put the results into ${DOCUMENT}`)
    .addOption(jsonOption())
    .addHelpText(
      "after",
      examples(
        "./mlops drill release --cycles 3 --requests 10000",
        "./mlops drill release --kill --rate 50",
      ),
    )
    .action((options: ReleaseOptions) => drillRelease(context, options));
}

/** What `drill release` starts beside itself: a load, told by its standard input. */
function loadCommand(): Command {
  return new Command("load")
    .description("Send a load; settings and commands are JSON lines on standard input.")
    .action(() => serveLoad(process.stdin, process.stdout));
}

function parseCount(text: string): number {
  if (!/^[1-9]\d{0,6}$/.test(text)) throw new InvalidArgumentError("Expected 1 to 9999999.");
  return Number(text);
}

async function drillRelease(context: Context, options: ReleaseOptions): Promise<void> {
  const retry = "./mlops drill release";
  const interruption = new AbortController();
  const stop = (): void => {
    context.terminal.note("The drill is being stopped, and its stack removed.");
    interruption.abort();
  };
  process.on("SIGINT", stop).on("SIGTERM", stop);
  const { signal } = interruption;
  try {
    await report(context, options, await measure(context, options, signal, retry));
  } catch (error) {
    if (signal.aborted) throw new InterruptedError("The drill", retry);
    throw error;
  } finally {
    process.off("SIGINT", stop).off("SIGTERM", stop);
  }
}

/** The drill on a stack of its own, which is removed whatever happens. */
async function measure(
  context: Context,
  options: ReleaseOptions,
  signal: AbortSignal,
  retry: string,
): Promise<Measured> {
  const stack = await DrillStack.create(context, { replicas: options.replicas, retry, signal });
  const inStep = <T>(name: string, title: string, work: (step: Step) => Promise<T>): Promise<T> =>
    runStep(context, { name: `drill-${name}`, title, retry }, work);
  try {
    const machine = await describeMachine(stack.tools.docker);
    await inStep("prepare", `Making the stack ${stack.name}`, (step) => stack.prepare(step));
    signal.throwIfAborted();
    const { rate } = options;
    if (options.kill === true) {
      const result = await inStep("kill", "Killing deployments under load", (step) =>
        drillKills(stack, BOUNDARIES, { rate, signal }, step),
      );
      return { machine, findings: killFindings(result) };
    }
    const release = await inStep("release", "Deploying and rolling back under load", (step) =>
      drillReleases(stack, { ...options, signal }, step),
    );
    if (!options.compose) return { machine, findings: releaseFindings(release) };
    const compose = await inStep("compose", "The same by docker-compose", async (step) => {
      const project = await ComposeRelease.start(stack, step);
      try {
        const settings = await stack.loadSettings(rate);
        return await project.drill(COMPOSE_RELEASES, settings, signal, step);
      } finally {
        await project.remove();
      }
    });
    return { machine, findings: releaseFindings(release, compose) };
  } finally {
    await inStep("removal", `Removing the stack ${stack.name}`, () => stack.remove());
  }
}

interface Measured {
  readonly machine: string;
  readonly findings: Findings;
}

async function report(
  context: Context,
  options: ReleaseOptions,
  { machine, findings }: Measured,
): Promise<void> {
  const { terminal } = context;
  const { passed, tables, failures, verdict, data } = findings;
  if (options.json) terminal.printJson({ passed, machine, ...data });
  else {
    for (const table of tables) {
      terminal.print(`\n${terminal.style("bold", table.title)}`);
      terminal.print(renderTable(table.head, table.rows));
    }
    for (const failure of failures) terminal.note(failure);
    terminal.note(`\n${machine}`);
    terminal.print(terminal.style(passed ? "green" : "red", verdict));
  }
  if (options.write) await write(context, options, machine, tables);
  if (!passed) throw new ExitCodeError(1);
}

async function write(
  context: Context,
  { cycles, requests, rate, replicas, kill }: ReleaseOptions,
  machine: string,
  tables: readonly ResultTable[],
): Promise<void> {
  const what =
    kill === true
      ? `--kill --rate ${rate}`
      : `--cycles ${cycles} --requests ${requests} --rate ${rate}`;
  const date = new Date().toISOString().slice(0, 10);
  const head = `Measured ${date} on ${machine}, by \`./mlops drill release ${what} --replicas ${replicas} --write\`.`;
  await updateDocument(
    join(context.root, DOCUMENT),
    kill === true ? "killed-releases" : "releases",
    [head, ...tables.map(markdownTable)].join("\n\n"),
  );
}
