import { Command } from "commander";
import { MEASUREMENTS } from "../bench/document";
import type { Context } from "../context";
import { ComposeRelease } from "../drill/compose";
import { killFindings, releaseFindings, type Findings } from "../drill/findings";
import { BOUNDARIES, drillKills } from "../drill/kill";
import { drillReleases } from "../drill/release";
import { reportDrill, runDrill, type Drill } from "../drill/run";
import { serveLoad } from "../load/generator";
import { drillBackupCommand } from "./drill-backup";
import { drillRestoreCommand } from "./drill-restore";
import { examples, jsonOption, parseCount } from "./options";

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

/** Releases by Compose, for comparison. */
const COMPOSE_RELEASES = 4;

/** `./mlops drill`: proofs that take a while, on throw-away stacks. */
export function drillCommand(context: Context): Command {
  return new Command("drill")
    .description("Prove, on throw-away copies, what is promised of every stack.")
    .addHelpText("after", examples("./mlops drill release --cycles 3 --requests 10000"))
    .addCommand(releaseCommand(context))
    .addCommand(drillBackupCommand(context))
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
    .option("--write", `put the results into ${MEASUREMENTS}`)
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

/** What a drill starts beside itself: a load, told by its standard input. */
function loadCommand(): Command {
  return new Command("load")
    .description("Send a load; settings and commands are JSON lines on standard input.")
    .action(() => serveLoad(process.stdin, process.stdout));
}

async function drillRelease(context: Context, options: ReleaseOptions): Promise<void> {
  const { cycles, requests, rate, replicas, kill, write, json } = options;
  const request = { retry: "./mlops drill release", replicas };
  const measured = await runDrill(context, request, (drill) => measure(drill, options));
  const what =
    kill === true
      ? `--kill --rate ${rate}`
      : `--cycles ${cycles} --requests ${requests} --rate ${rate}`;
  await reportDrill(context, measured, {
    json: json === true,
    ...(write === true ? { section: kill === true ? "killed-releases" : "releases" } : {}),
    command: `./mlops drill release ${what} --replicas ${replicas} --write`,
  });
}

async function measure(
  { stack, signal, inStep }: Drill,
  options: ReleaseOptions,
): Promise<Findings> {
  const { rate } = options;
  if (options.kill === true)
    return killFindings(
      await inStep("kill", "Killing deployments under load", (step) =>
        drillKills(stack, BOUNDARIES, { rate, signal }, step),
      ),
    );
  const release = await inStep("release", "Deploying and rolling back under load", (step) =>
    drillReleases(stack, { ...options, signal }, step),
  );
  if (!options.compose) return releaseFindings(release);
  const compose = await inStep("compose", "The same by docker-compose", async (step) => {
    const project = await ComposeRelease.start(stack, step);
    try {
      const settings = await stack.loadSettings(rate);
      return await project.drill(COMPOSE_RELEASES, settings, signal, step);
    } finally {
      await project.remove();
    }
  });
  return releaseFindings(release, compose);
}
