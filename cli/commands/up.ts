import { Command } from "commander";
import type { Context } from "../context";
import { deploy, reportDeployment } from "../deployment";
import { allowDataOption, examples, jsonOption, stackOption, yesOption } from "./options";

interface UpOptions {
  readonly stack: string;
  readonly yes?: true;
  readonly allowData?: true;
  readonly adopt?: true;
  readonly json?: true;
}

/** `./mlops up`: set-up where it is missing, then the deployment. */
export function upCommand(context: Context): Command {
  return new Command("up")
    .description("Install what is missing on this machine and deploy the stack.")
    .addOption(stackOption())
    .addOption(yesOption())
    .addOption(allowDataOption())
    .option("--adopt", "take over containers of this stack that the state does not know")
    .addOption(jsonOption())
    .addHelpText("after", examples("./mlops up", "TAG=v1.0.0 ./mlops up --stack prod"))
    .action(async ({ stack, yes, allowData, adopt, json }: UpOptions) => {
      const deployed = await deploy(context, {
        stack,
        retry: `./mlops up --stack ${stack}`,
        yes: yes === true,
        allowData: allowData === true,
        adopt: adopt === true,
      });
      reportDeployment(context, stack, deployed, json === true);
    });
}
