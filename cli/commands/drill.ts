import { join } from "node:path";
import { Command, InvalidArgumentError } from "commander";
import { updateDocument } from "../bench/document";
import { describeMachine, markdownTable, type ResultTable } from "../bench/results";
import type { Context } from "../context";
import { DrillStack } from "../drill/drill-stack";
import { drillReleases, type ReleaseDrillResult } from "../drill/release";
import {
  classTable,
  isPassed,
  outcomeTable,
  switchTable,
  type LoadOutcome,
} from "../drill/results";
import { ExitCodeError } from "../exit-code";
import { serveLoad } from "../load/generator";
import { InterruptedError } from "../operation";
import { runStep } from "../step";
import { renderTable } from "../table";
import { examples, jsonOption } from "./options";

interface ReleaseOptions {
  readonly cycles: number;
  readonly requests: number;
  readonly rate: number;
  readonly replicas: number;
  readonly write?: true;
  readonly json?: true;
}

const DOCUMENT = "docs/measurements.md";
const SHOWN_FAILURES = 20;

/** `./mlops drill`: proofs that take a while, on throw-away stacks. */
export function drillCommand(context: Context): Command {
  return new Command("drill")
    .description("Prove on a throw-away stack of its own what is promised of every stack.")
    .addHelpText("after", examples("./mlops drill release --cycles 3 --requests 10000"))
    .addCommand(releaseCommand(context))
    .addCommand(loadCommand(), { hidden: true });
}

function releaseCommand(context: Context): Command {
  return new Command("release")
    .description(
      "Deploy and roll back in turn while requests keep coming, and count what is lost: nothing may be. " +
        "Makes a stack for it and removes it at the end.",
    )
    .option("--cycles <number>", "deployments, each with its rollback; at least", parseCount, 30)
    .option("--requests <number>", "requests; at least", parseCount, 100_000)
    .option("--rate <number>", "requests a second", parseCount, 100)
    .option("--replicas <number>", "containers of the app", parseCount, 1)
    .option("--write", `put the results into ${DOCUMENT}`)
    .addOption(jsonOption())
    .addHelpText("after", examples("./mlops drill release --cycles 3 --requests 10000"))
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
  { cycles, requests, rate, replicas }: ReleaseOptions,
  signal: AbortSignal,
  retry: string,
): Promise<Measured> {
  const stack = await DrillStack.create(context, { appReplicas: String(replicas) }, retry);
  try {
    const machine = await describeMachine(stack.tools.docker);
    const prepare = { name: "drill-prepare", title: `Making the stack ${stack.name}`, retry };
    await runStep(context, prepare, (step) => stack.prepare(step));
    signal.throwIfAborted();
    const drill = { name: "drill-release", title: `Releases on ${stack.name}, under load`, retry };
    const release = await runStep(context, drill, (step) =>
      drillReleases(stack, { cycles, requests, rate, signal }, step),
    );
    return { machine, release };
  } finally {
    const removal = { name: "drill-removal", title: `Removing the stack ${stack.name}`, retry };
    await runStep(context, removal, () => stack.remove());
  }
}

interface Measured {
  readonly machine: string;
  readonly release: ReleaseDrillResult;
}

async function report(
  context: Context,
  options: ReleaseOptions,
  { machine, release }: Measured,
): Promise<void> {
  const { terminal } = context;
  const tables = tablesOf(release);
  const passed = isPassed(release);
  if (options.json) {
    const { samples, ...rest } = release;
    const failures = samples.filter(({ failure }) => failure !== undefined);
    terminal.printJson({ passed, machine, ...rest, failures });
  } else {
    for (const table of tables) {
      terminal.print(`\n${terminal.style("bold", table.title)}`);
      terminal.print(renderTable(table.head, table.rows));
    }
    showFailures(context, release);
    terminal.note(`\n${machine}`);
    terminal.print(verdict(context, release));
  }
  if (options.write) {
    const line = `./mlops drill release --cycles ${options.cycles} --requests ${options.requests} --rate ${options.rate} --replicas ${options.replicas}`;
    const date = new Date().toISOString().slice(0, 10);
    const head = `Measured ${date} on ${machine}, by \`${line}\`.`;
    const content = [head, ...tables.map(markdownTable)].join("\n\n");
    await updateDocument(join(context.root, DOCUMENT), "releases", content);
  }
  if (!passed) throw new ExitCodeError(1);
}

function tablesOf(release: ReleaseDrillResult): readonly ResultTable[] {
  const outcome: LoadOutcome = {
    title: "./mlops deploy, rollback",
    switches: release.switches.length,
    load: release.load,
    wrongVersions: release.wrongVersions,
    predictionLog: release.predictionLog,
  };
  return [
    outcomeTable([outcome]),
    classTable(outcome),
    switchTable(release.switches, release.samples),
  ];
}

/** The first failures, each with the seconds since the last switch before it. */
function showFailures({ terminal }: Context, { samples, switches }: ReleaseDrillResult): void {
  const failures = samples.filter(({ failure }) => failure !== undefined);
  for (const { method, connection, failure, detail, sentAt } of failures.slice(0, SHOWN_FAILURES)) {
    const last = switches.findLast(({ startedAt }) => startedAt < sentAt);
    const since =
      last === undefined
        ? "before the first deployment"
        : `${((sentAt - last.switchedAt) / 1000).toFixed(2)} s after the switch of a ${last.kind}`;
    terminal.note(`${failure} (${detail}): ${method} on a ${connection} connection, sent ${since}`);
  }
}

function verdict({ terminal }: Context, release: ReleaseDrillResult): string {
  const { load, switches, wrongVersions, predictionLog, spanning } = release;
  const text =
    `${switches.length} releases under ${load.requests} requests: ${load.failed} failed, ` +
    `${predictionLog.lost} POSTs lost, ${predictionLog.doubled} doubled, ` +
    `${wrongVersions} answers of the wrong version, ` +
    `a slow request across ${spanning} switches.`;
  return isPassed(release)
    ? terminal.style("green", `Passed: ${text}`)
    : terminal.style("red", `Failed: ${text}`);
}
