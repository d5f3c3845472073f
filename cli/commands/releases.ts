import { Command } from "commander";
import type { Context } from "../context";
import { formatDuration } from "../format";
import { lastGood, readReleases, type Release } from "../release/ledger";
import { setUp } from "../setup";
import { openStack } from "../stack";
import { renderTable } from "../table";
import type { Terminal } from "../terminal";
import { examples, jsonOption, stackOption } from "./options";

interface ReleasesOptions {
  readonly stack: string;
  readonly json?: true;
}

/** `./mlops releases`: the ledger. */
export function releasesCommand(context: Context): Command {
  return new Command("releases")
    .description("List the releases of a stack: image, commit, who, when, steps, gate, model.")
    .addOption(stackOption())
    .addOption(jsonOption())
    .addHelpText("after", examples("./mlops releases --stack prod", "./mlops releases --json"))
    .action((options: ReleasesOptions) => list(context, options));
}

async function list(context: Context, { stack: name, json }: ReleasesOptions): Promise<void> {
  const { terminal } = context;
  const retry = `./mlops releases --stack ${name}`;
  const tools = await setUp(context, { retry, images: false });
  const stack = await openStack(context, tools, name, false);
  const releases = await readReleases(tools, stack);
  if (json === true) {
    terminal.printJson({ stack: name, releases });
    return;
  }
  const head = ["TAG", "STATE", "IMAGE", "COMMIT", "WHEN (UTC)", "BY", "STEPS", "GATE", "MODEL"];
  const live = lastGood(releases);
  terminal.print(
    renderTable(
      head.map((title) => terminal.style("bold", title)),
      releases.map((release) => row(terminal, release, release === live)),
    ),
  );
}

function row(terminal: Terminal, release: Release, isLive: boolean): string[] {
  const { gate, model, seconds = {} } = release;
  const state = isLive ? "live" : release.passed ? "passed" : "failed";
  const total = Object.values(seconds).reduce((sum, step) => sum + step, 0);
  const steps = Object.entries(seconds).map(([step, taken]) => `${step} ${taken.toFixed(1)}`);
  return [
    release.tag,
    terminal.style(isLive ? "green" : release.passed ? "dim" : "red", state),
    release.image.replace("sha256:", "").slice(0, 12),
    (release.commit ?? "").slice(0, 8),
    (release.finishedAt ?? release.startedAt).slice(0, 16).replace("T", " "),
    release.by,
    release.passed ? `${formatDuration(total)} (${steps.join(", ")})` : "",
    gate === undefined ? "" : `${gate.probes} probes, golden: ${gate.golden}`,
    model === undefined || model === null ? "" : `${model.name} ${model.version}`,
  ];
}
