import { Command, InvalidArgumentError } from "commander";
import type { Context } from "../context";
import { listModels, type ListOptions } from "../model/list";
import { rollBackModel, type RollbackOptions } from "../model/rollback";
import { examples, jsonOption, stackOption } from "./options";

const DEFAULT_LIMIT = 20;

const WAY_BACK = `
Without VERSION it goes to the version that was served before the one that is served now, which need
not be the one trained before it. Once more steps further back, never forward to a version that was
left; that takes its number. The version is loaded on trial before the alias is moved. If an app
refuses it or does not serve it in time, the alias is put back and the command fails. The apps swap
while they serve: no restart, no failed request.`;

/** `./mlops model`: which model versions there are, and the way back to an earlier one. */
export function modelCommand(context: Context): Command {
  return new Command("model")
    .description("List the registered versions of the model, or serve an earlier one.")
    .addCommand(listCommand(context))
    .addCommand(rollbackCommand(context))
    .addHelpText(
      "after",
      examples(
        "./mlops model list --stack prod",
        "./mlops model rollback --stack prod",
        "./mlops model rollback 3 --stack prod --json",
      ),
    );
}

function listCommand(context: Context): Command {
  return subcommand("list")
    .description("Show versions, newest first: age, score, aliases, and which is served.")
    .addOption(stackOption())
    .option("--limit <count>", "most versions to show", positive, DEFAULT_LIMIT)
    .addOption(jsonOption())
    .addHelpText("after", examples("./mlops model list", "./mlops model list --limit 5 --json"))
    .action((options: ListOptions) => listModels(context, options));
}

function rollbackCommand(context: Context): Command {
  return subcommand("rollback")
    .description("Serve the model version that was served before, or the one that is named.")
    .argument("[version]", "number of the version to serve", versionNumber)
    .addOption(stackOption())
    .addOption(jsonOption())
    .addHelpText("after", WAY_BACK)
    .addHelpText("after", examples("./mlops model rollback", "./mlops model rollback 3 --json"))
    .action((version: string | undefined, options: RollbackOptions) =>
      rollBackModel(context, version, options),
    );
}

/** Only commands that are made by their parent inherit these. */
function subcommand(name: string): Command {
  return new Command(name).exitOverride().showHelpAfterError(`See: ./mlops model ${name} --help`);
}

function versionNumber(value: string): string {
  if (/^[1-9]\d*$/.test(value)) return value;
  throw new InvalidArgumentError("Versions are numbers; ./mlops model list shows them.");
}

function positive(value: string): number {
  if (/^[1-9]\d{0,3}$/.test(value)) return Number(value);
  throw new InvalidArgumentError("It must be a whole number from 1 to 9999.");
}
