import type Docker from "dockerode";
import { Command } from "commander";
import type { Context } from "../context";
import { formatBytes } from "../format";
import { readReleases } from "../release/ledger";
import { pruneReleases, type PruneReport } from "../release/prune";
import { setUp } from "../setup";
import { openStack } from "../stack";
import { withStackLock } from "../stack-lock";
import { loadConfig } from "../stack-config";
import { runStep } from "../step";
import { renderTable } from "../table";
import { examples, jsonOption, stackOption } from "./options";

interface PruneCommandOptions {
  readonly stack: string;
  readonly dryRun?: true;
  readonly json?: true;
}

/** `./mlops prune`: room on the disk, from releases that nobody can go back to. */
export function pruneCommand(context: Context): Command {
  return new Command("prune")
    .description(
      "Remove images of the stack's old releases. Those that a rollback could need stay (key " +
        "keepReleases), and everything that this or another stack runs. Deployments do it too.",
    )
    .addOption(stackOption())
    .option("--dry-run", "only say what would be removed")
    .addOption(jsonOption())
    .addHelpText("after", examples("./mlops prune --stack prod --dry-run"))
    .action((options: PruneCommandOptions) => {
      const retry = `./mlops prune --stack ${options.stack}`;
      return withStackLock(context, options.stack, retry, () => prune(context, options, retry));
    });
}

async function prune(context: Context, options: PruneCommandOptions, retry: string): Promise<void> {
  const { stack: name } = options;
  const dryRun = options.dryRun === true;
  // The TAG to run says nothing of what to keep, so a missing one is no mistake here.
  const { keep } = loadConfig({ ...context, env: { ...context.env, TAG: "v0" } }, name).release;
  const tools = await setUp(context, { retry, images: false });
  const stack = await openStack(context, tools, name, false);
  const releases = await readReleases(tools, stack);
  const request = { name: "prune", title: `Looking for old releases of ${name}`, retry };
  const { report, freedBytes } = await runStep(context, request, async () => {
    const before = await readUsage(tools.docker);
    const report = await pruneReleases(tools.docker, name, releases, keep, { dryRun });
    const freedBytes = dryRun
      ? bytesOfOwn(before, report)
      : Math.max(0, before.LayersSize - (await readUsage(tools.docker)).LayersSize);
    return { report, freedBytes };
  });
  if (options.json) context.terminal.printJson({ stack: name, dryRun, ...report, freedBytes });
  else print(context, report, freedBytes, dryRun);
}

function print(
  { terminal }: Context,
  { removed, deletedImages, notes }: PruneReport,
  freedBytes: number,
  dryRun: boolean,
): void {
  for (const note of notes) terminal.note(note);
  if (removed.length === 0) {
    terminal.note("There is nothing to remove.");
    return;
  }
  const deleted = new Set(deletedImages);
  terminal.print(
    renderTable(
      [dryRun ? "WOULD BE REMOVED" : "REMOVED", "IMAGE", ""].map((title) =>
        terminal.style("bold", title),
      ),
      removed.map(({ reference, image }) => [
        reference,
        image.replace("sha256:", "").slice(0, 12),
        deleted.has(image) ? "" : "stays under another name",
      ]),
    ),
  );
  const bytes = formatBytes(freedBytes);
  // What releases have in common among themselves counts only when it is really gone.
  terminal.note(dryRun ? `That would free at least ${bytes}.` : `Freed ${bytes}.`);
}

/** What the Docker daemon says of the room that images take. */
interface Usage {
  /** Bytes of all layers, each counted once. */
  readonly LayersSize: number;
  readonly Images: readonly {
    readonly Id: string;
    readonly Size: number;
    /** Bytes of layers that another image has as well. */
    readonly SharedSize: number;
  }[];
}

const readUsage = (docker: Docker): Promise<Usage> => docker.df() as Promise<Usage>;

/** Bytes that only the images to be deleted have. */
function bytesOfOwn({ Images }: Usage, { deletedImages }: PruneReport): number {
  return Images.filter(({ Id }) => deletedImages.includes(Id)).reduce(
    (sum, { Size, SharedSize }) => sum + Size - SharedSize,
    0,
  );
}
