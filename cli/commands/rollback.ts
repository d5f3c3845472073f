import { Command } from "commander";
import { releaseReference } from "../../components/release-image";
import type { Context } from "../context";
import { deploy, reportDeployment } from "../deployment";
import { CommandError, NotDeployedError } from "../errors";
import { asItRan } from "../release/as-it-ran";
import { earlierReleases } from "../release/history";
import { ensureSameImage } from "../release/image";
import { lastGood, readReleases, type Release } from "../release/ledger";
import { setUp } from "../setup";
import { openStack } from "../stack";
import { withStackLock } from "../stack-lock";
import { allowDataOption, examples, jsonOption, stackOption, yesOption } from "./options";

interface RollbackOptions {
  readonly stack: string;
  readonly yes?: true;
  readonly allowData?: true;
  readonly json?: true;
}

/** `./mlops rollback`: an earlier release goes live again, as it was. */
export function rollbackCommand(context: Context): Command {
  return new Command("rollback")
    .description(
      "Go back to an earlier release, with the app's configuration that it ran with. Only those " +
        "that passed their gate can be gone back to; ./mlops releases lists them.",
    )
    .argument("[tag]", "tag of the release (default: the one before the release that is live)")
    .addOption(stackOption())
    .addOption(yesOption())
    .addOption(allowDataOption())
    .addOption(jsonOption())
    .addHelpText(
      "after",
      examples("./mlops rollback --stack prod", "./mlops rollback v1.0.0 --stack prod"),
    )
    .action((tag: string | undefined, options: RollbackOptions) => {
      const retry = `./mlops rollback ${tag === undefined ? "" : `${tag} `}--stack ${options.stack}`;
      return withStackLock(context, options.stack, retry, () =>
        rollback(context, tag, options, retry),
      );
    });
}

async function rollback(
  context: Context,
  tag: string | undefined,
  { stack: name, yes, allowData, json }: RollbackOptions,
  retry: string,
): Promise<void> {
  const tools = await setUp(context, { retry, images: false });
  const stack = await openStack(context, tools, name, false);
  const releases = await readReleases(tools, stack);
  const target = choose(name, releases, tag);
  const deployed = await deploy(context, {
    stack: name,
    retry,
    ...asItRan(target),
    yes: yes === true,
    allowData: allowData === true,
    check: async (ready) => {
      const reference = releaseReference(ready.config.release.registry, target.tag);
      await ensureSameImage(ready.context, ready.tools, reference, target.image, retry);
    },
  });
  reportDeployment(context, name, deployed, json === true);
}

/** The release to go back to. */
function choose(stack: string, releases: readonly Release[], tag: string | undefined): Release {
  const live = lastGood(releases);
  if (live === undefined) throw new NotDeployedError(stack);
  const passed = releases.filter((release) => release.passed && release.tag !== live.tag);
  const known = [...new Set(passed.map((release) => release.tag))];
  const offered = `Releases of this stack that passed their gate: ${known.length === 0 ? "none" : known.join(", ")}.`;
  if (tag === undefined) {
    const [before] = earlierReleases(releases);
    if (before !== undefined) return before;
    throw new CommandError(`There is no release before ${live.tag} to go back to.`, offered);
  }
  // The one that is live is not refused: going back to it undoes a change of its configuration.
  const named = releases.find((release) => release.passed && release.tag === tag);
  if (named !== undefined) return named;
  const attempted = releases.some((release) => release.tag === tag);
  throw new CommandError(
    attempted
      ? `Release ${tag} never passed its gate on stack "${stack}".`
      : `Stack "${stack}" never ran a release ${tag}.`,
    offered,
  );
}
