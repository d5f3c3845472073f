import { Command, Option } from "commander";
import type { Context } from "../context";
import { deploy, reportDeployment, type DeploymentRequest } from "../deployment";
import { CommandError } from "../errors";
import { loadPlan } from "../preview/plan";
import { requirePlanFor } from "../preview/plan-check";
import { allowDataOption, examples, jsonOption, stackOption, yesOption } from "./options";

interface DeployOptions {
  readonly stack: string;
  readonly canary?: string;
  readonly plan?: string;
  readonly yes?: true;
  readonly allowData?: true;
  readonly json?: true;
}

/** `./mlops deploy TAG`: the release that TAG names goes live. */
export function deployCommand(context: Context): Command {
  return new Command("deploy")
    .description(
      "Let a release go live: it starts beside the one that serves, and takes over once it has " +
        "passed its gate. The same as TAG=… ./mlops up.",
    )
    .argument("[tag]", "tag of the release, such as v1.1.0")
    .addOption(stackOption())
    .option("--canary <share>", "try it on a share of the requests first, such as 10%")
    .addOption(
      new Option(
        "--plan <file>",
        "apply what ./mlops preview --save-plan saved: exactly that, or nothing",
      ).conflicts("canary"),
    )
    .addOption(yesOption())
    .addOption(allowDataOption())
    .addOption(jsonOption())
    .addHelpText(
      "after",
      examples(
        "./mlops deploy v1.1.0 --stack prod",
        "./mlops deploy v1.1.0 --stack prod --canary 10%",
        "./mlops deploy --plan v1.1.0.plan",
      ),
    )
    .action(async (tag: string | undefined, options: DeployOptions, command: Command) => {
      const isStackNamed = command.getOptionValueSource("stack") !== "default";
      const wanted = await whatToDeploy(tag, options, isStackNamed);
      const deployed = await deploy(context, {
        ...wanted,
        yes: options.yes === true,
        allowData: options.allowData === true,
      });
      reportDeployment(context, wanted.stack, deployed, options.json === true);
    });
}

/** The release by its tag, or all that a plan says. */
async function whatToDeploy(
  tag: string | undefined,
  { stack, canary, plan: file }: DeployOptions,
  isStackNamed: boolean,
): Promise<Pick<DeploymentRequest, "stack" | "retry" | "env" | "plan">> {
  if ((tag === undefined) === (file === undefined))
    throw new CommandError(
      tag === undefined ? "No release is named." : "A plan names its release itself.",
      "Name a tag or a plan: ./mlops deploy v1.1.0, or ./mlops deploy --plan v1.1.0.plan",
    );
  if (file === undefined)
    return {
      stack,
      retry: `./mlops deploy ${tag} --stack ${stack}`,
      env: { TAG: tag ?? "", ...(canary === undefined ? {} : { CANARY: canary }) },
    };
  const plan = await loadPlan(file);
  if (isStackNamed) requirePlanFor(plan, stack);
  const retry = `./mlops deploy --plan ${file}`;
  return { stack: plan.stack, retry, env: plan.environment, plan };
}
