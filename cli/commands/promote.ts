import { Command } from "commander";
import { releaseReference } from "../../components/release-image";
import type { Context } from "../context";
import { deploy, reportDeployment } from "../deployment";
import { CommandError, NotDeployedError } from "../errors";
import { ensureSameImage } from "../release/image";
import { lastGood, readReleases } from "../release/ledger";
import { setUp } from "../setup";
import { openStack } from "../stack";
import { allowDataOption, examples, jsonOption, yesOption } from "./options";

interface PromoteOptions {
  readonly from: string;
  readonly to: string;
  readonly canary?: string;
  readonly yes?: true;
  readonly allowData?: true;
  readonly json?: true;
}

/** `./mlops promote`: what passed on one stack goes live on another, the very same image. */
export function promoteCommand(context: Context): Command {
  return new Command("promote")
    .description("Deploy the release that is live on one stack to another: the very same image.")
    .requiredOption("--from <stack>", "stack on which the release has passed its gate")
    .requiredOption("--to <stack>", "stack that gets it")
    .option("--canary <share>", "try it on a share of the requests first, such as 10%")
    .addOption(yesOption())
    .addOption(allowDataOption())
    .addOption(jsonOption())
    .addHelpText("after", examples("./mlops promote --from staging --to prod"))
    .action((options: PromoteOptions) => promote(context, options));
}

async function promote(
  context: Context,
  { from, to, canary, yes, allowData, json }: PromoteOptions,
): Promise<void> {
  const retry = `./mlops promote --from ${from} --to ${to}`;
  if (from === to)
    throw new CommandError(`"${from}" is named twice.`, "Name two stacks: --from and --to.");
  const tools = await setUp(context, { retry, images: false });
  const source = await openStack(context, tools, from, false);
  const release = lastGood(await readReleases(tools, source));
  if (release === undefined) throw new NotDeployedError(from);
  context.terminal.note(`Promoting ${release.tag} (image ${release.image}) to ${to}.`);
  const deployed = await deploy(context, {
    stack: to,
    retry,
    env: { TAG: release.tag, ...(canary === undefined ? {} : { CANARY: canary }) },
    yes: yes === true,
    allowData: allowData === true,
    check: async (ready) => {
      const reference = releaseReference(ready.config.release.registry, release.tag);
      await ensureSameImage(ready.context, ready.tools, reference, release.image, retry);
    },
  });
  reportDeployment(context, to, deployed, json === true);
}
