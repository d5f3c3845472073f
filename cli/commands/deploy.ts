import { Command } from "commander";
import type { Context } from "../context";
import { deploy, reportDeployment } from "../deployment";
import { allowDataOption, examples, jsonOption, stackOption, yesOption } from "./options";

interface DeployOptions {
  readonly stack: string;
  readonly canary?: string;
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
    .argument("<tag>", "tag of the release, such as v1.1.0")
    .addOption(stackOption())
    .option("--canary <share>", "try it on a share of the requests first, such as 10%")
    .addOption(yesOption())
    .addOption(allowDataOption())
    .addOption(jsonOption())
    .addHelpText(
      "after",
      examples(
        "./mlops deploy v1.1.0 --stack prod",
        "./mlops deploy v1.1.0 --stack prod --canary 10%",
      ),
    )
    .action(async (tag: string, { stack, canary, yes, allowData, json }: DeployOptions) => {
      const deployed = await deploy(context, {
        stack,
        retry: `./mlops deploy ${tag} --stack ${stack}`,
        env: { TAG: tag, ...(canary === undefined ? {} : { CANARY: canary }) },
        yes: yes === true,
        allowData: allowData === true,
      });
      reportDeployment(context, stack, deployed, json === true);
    });
}
