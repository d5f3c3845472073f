import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { Command, InvalidArgumentError } from "commander";
import { ComposeProject } from "../bench/compose";
import { MEASUREMENTS, updateDocument } from "../bench/document";
import { GrowthStacks } from "../bench/growth";
import { measureSideBySide, median, type Contender } from "../bench/measure";
import {
  describeMachine,
  markdownOf,
  tablesOf,
  type BenchResults,
  type MemoryUse,
} from "../bench/results";
import type { Context } from "../context";
import { readStatus } from "../services";
import { setUp, type Tools } from "../setup";
import { readDurations } from "../setup/durations";
import { openStack } from "../stack";
import { runStep, type Step } from "../step";
import { renderTable } from "../table";
import { examples, jsonOption, stackOption } from "./options";

interface BenchOptions {
  readonly stack: string;
  readonly runs: number;
  readonly write?: true;
  readonly json?: true;
}

const MEMORY_SAMPLES = 5;
const MEMORY_SAMPLE_EVERY_MS = 2000;

/** `./mlops bench`: what the daily commands cost, beside docker-compose. */
export function benchCommand(context: Context): Command {
  return new Command("bench")
    .description(
      "Measure, on a deployed stack in which nothing changes, preview and up beside " +
        "docker-compose; how that grows with the number of services; memory; set-up by step.",
    )
    .addOption(stackOption())
    .option("--runs <number>", "how often each command is measured", parseRuns, 5)
    .option("--write", `put the results into ${MEASUREMENTS}`)
    .addOption(jsonOption())
    .addHelpText("after", examples("./mlops bench --runs 9 --write"))
    .action((options: BenchOptions) => bench(context, options));
}

function parseRuns(text: string): number {
  if (!/^[1-9]\d{0,2}$/.test(text)) throw new InvalidArgumentError("Expected 1 to 999.");
  return Number(text);
}

async function bench(context: Context, options: BenchOptions): Promise<void> {
  const retry = `./mlops bench --stack ${options.stack}`;
  const tools = await setUp(context, { retry, images: true });
  // Fails early, and says how to deploy, when there is nothing to measure.
  await openStack(context, tools, options.stack, false);
  const results = await runStep(
    context,
    { name: "bench", title: `Measuring ${options.stack}`, retry },
    async (step): Promise<BenchResults> => ({
      date: new Date().toISOString().slice(0, 10),
      machine: await describeMachine(tools.docker),
      runs: options.runs,
      memory: await sampleMemory(tools, options.stack, step),
      unchanged: await measureUnchanged(context, tools, options, step),
      growth: await measureGrowth(context, tools, options, step),
      setUp: await readDurations(context),
    }),
  );
  if (options.write)
    await updateDocument(join(context.root, MEASUREMENTS), "bench", markdownOf(results));
  if (options.json) {
    context.terminal.printJson(results);
    return;
  }
  for (const { title, head, rows } of tablesOf(results)) {
    context.terminal.print(`\n${context.terminal.style("bold", title)}`);
    context.terminal.print(renderTable(head, rows));
  }
  context.terminal.note(`\n${results.machine}`);
}

async function measureUnchanged(
  context: Context,
  tools: Tools,
  { stack, runs }: BenchOptions,
  step: Step,
): Promise<BenchResults["unchanged"]> {
  const compose = await ComposeProject.start(context, tools, stack, step);
  try {
    const contender = (name: string, command: string, ...args: string[]): Contender => ({
      name,
      command,
      args: [...args, "--stack", stack],
      cwd: context.root,
      env: tools.env,
    });
    const pulumi = tools.pulumi.program;
    const mlops = join(context.root, "mlops");
    const contenders = [
      contender("pulumi preview", pulumi, "preview", "--expect-no-changes", "--non-interactive"),
      contender("pulumi up", pulumi, "up", "--yes", "--skip-preview", "--expect-no-changes"),
      contender("./mlops preview", mlops, "preview", "--expect-no-changes"),
      contender("./mlops up", mlops, "up", "--yes"),
      compose.up(),
    ];
    return await measureSideBySide(context, contenders, runs, (text) => {
      step.say(text);
    });
  } finally {
    await compose.remove();
  }
}

async function measureGrowth(
  context: Context,
  tools: Tools,
  { runs }: BenchOptions,
  step: Step,
): Promise<BenchResults["growth"]> {
  const stacks = new GrowthStacks(context, tools);
  try {
    await stacks.deploy(step);
    return await measureSideBySide(context, stacks.previews(), runs, (text) => {
      step.say(text);
    });
  } finally {
    await stacks.remove();
  }
}

async function sampleMemory(tools: Tools, stack: string, step: Step): Promise<MemoryUse[]> {
  const samples: Awaited<ReturnType<typeof readStatus>>[] = [];
  for (let sample = 1; sample <= MEMORY_SAMPLES; sample += 1) {
    step.say(`memory, sample ${sample} of ${MEMORY_SAMPLES}`);
    samples.push(await readStatus(tools.docker, stack));
    await delay(MEMORY_SAMPLE_EVERY_MS);
  }
  return (samples[0] ?? []).map(({ service, container, memoryLimitBytes }) => ({
    service,
    limit: memoryLimitBytes,
    bytes: median(
      samples.flatMap(
        (services) =>
          services.find((candidate) => candidate.container === container)?.memoryBytes ?? [],
      ),
    ),
  }));
}
