import { Command } from "commander";
import type { Context } from "../context";
import { runJob } from "../model/job";
import { untilServed } from "../model/served";
import { PublicApi } from "../public-api";
import { setUp } from "../setup";
import { runStep } from "../step";
import { renderTable } from "../table";
import { examples, jsonOption, stackOption } from "./options";

interface TrainOptions {
  readonly stack: string;
  readonly json?: true;
}

/** The last line. */
interface TrainResult {
  readonly model: string;
  readonly version: string;
  readonly metrics: Readonly<Record<string, number>>;
  /** What became of the alias. */
  readonly champion: {
    readonly promoted: boolean;
    /** Version that had the alias before. */
    readonly previous_version: string | null;
    /** Name of the metric that decides. */
    readonly metric: string;
    readonly score: number;
    readonly previous_score: number | null;
  };
}

/** `./mlops train`: a new model version, and the champion if it is no worse. */
export function trainCommand(context: Context): Command {
  return new Command("train")
    .description(
      "Run the training job on the stack's network: it registers a new model version, which is " +
        "served if it is no worse than the one before.",
    )
    .addOption(stackOption())
    .addOption(jsonOption())
    .addHelpText("after", examples("./mlops train", "./mlops train --stack staging --json"))
    .action((options: TrainOptions) => train(context, options));
}

async function train(context: Context, options: TrainOptions): Promise<void> {
  const flag = options.stack === "dev" ? "" : ` --stack ${options.stack}`;
  const retry = `./mlops train${flag}`;
  const tools = await setUp(context, { retry, images: false });
  const api = await PublicApi.of(context, tools, options.stack);
  const result = await runStep(
    context,
    { name: "train", title: `Training on ${options.stack}`, retry },
    async (step) => {
      const trained = await runJob<TrainResult>(
        tools,
        { stack: options.stack, task: "train", noun: "training job", command: ["train"], retry },
        step,
      );
      if (trained.champion.promoted) await untilServed(api, trained.version, step);
      return trained;
    },
  );
  if (options.json) {
    context.terminal.printJson(result);
    return;
  }
  const { terminal } = context;
  terminal.print(
    renderTable(
      ["METRIC", "VALUE"].map((title) => terminal.style("bold", title)),
      Object.entries(result.metrics).map(([name, value]) => [name, value.toFixed(4)]),
    ),
  );
  terminal.note(
    result.champion.promoted
      ? `Model ${result.model} version ${result.version} is served now${comparison(result)}. Ask it: ./mlops predict${flag}`
      : `Model ${result.model} version ${result.version} is registered but not served${comparison(result)}.`,
  );
}

/** Why the alias was moved, or not, where there was a version to compare with. */
function comparison({ champion }: TrainResult): string {
  if (champion.previous_version === null || champion.previous_score === null) return "";
  const than = `${champion.previous_score.toFixed(4)} of version ${champion.previous_version}`;
  return `: ${champion.metric} ${champion.score.toFixed(4)} against ${than}`;
}
