import { Command, CommanderError } from "commander";
import { messageOf } from "../cli/errors";
import { backupCommand, listCommand, serveCommand, verifyCommand } from "./commands";
import {
  drillCommand,
  forgetCommand,
  keptCommand,
  restoreCommand,
  swapCommand,
} from "./restore/commands";

const commands: readonly (() => Command)[] = [
  serveCommand,
  backupCommand,
  listCommand,
  verifyCommand,
  restoreCommand,
  swapCommand,
  keptCommand,
  forgetCommand,
  drillCommand,
];

async function main(argv: readonly string[]): Promise<number> {
  const program = new Command("agent")
    .description("Makes, checks and restores the backups of a stack, inside its own container.")
    .showHelpAfterError("See: agent --help")
    .exitOverride();
  for (const build of commands) program.addCommand(build().exitOverride());
  try {
    await program.parseAsync(argv, { from: "user" });
    return 0;
  } catch (error) {
    // 2 tells whoever started it that this agent does not know what was asked.
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2;
    // One line, so that who reads it knows where it ends.
    process.stderr.write(`error: ${messageOf(error).replaceAll("\n", " ")}\n`);
    return 1;
  }
}

void main(process.argv.slice(2)).then((exitCode) => {
  process.exitCode = exitCode;
});
