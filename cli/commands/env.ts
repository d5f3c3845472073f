import { Command } from "commander";
import { quote } from "../../components/shell";
import type { Context } from "../context";
import { setUp } from "../setup";
import { examples, jsonOption } from "./options";

/** `./mlops env`: what plain `pulumi` needs in a shell. */
export function envCommand(context: Context): Command {
  return new Command("env")
    .description("Print the variables with which plain pulumi works in a shell, as export lines.")
    .addOption(jsonOption())
    .addHelpText("after", examples('eval "$(./mlops env)" && pulumi preview --stack dev'))
    .action(async (options: { readonly json?: true }) => {
      const tools = await setUp(context, { retry: "./mlops env", images: false });
      if (options.json) context.terminal.printJson(tools.env);
      else
        for (const [name, value] of Object.entries(tools.env))
          context.terminal.print(`export ${name}=${quote(value)}`);
    });
}
