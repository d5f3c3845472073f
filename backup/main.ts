import { Command, CommanderError } from "commander";
import { CommandError } from "../cli/errors";

async function main(argv: readonly string[]): Promise<number> {
  const program = new Command("agent")
    .description("Makes, checks and restores the backups of a stack, inside its own container.")
    .showHelpAfterError("See: agent --help")
    .exitOverride();
  try {
    await program.parseAsync(argv, { from: "user" });
    return 0;
  } catch (error) {
    // 2 tells whoever started it that this agent does not know what was asked.
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2;
    const text = error instanceof Error ? error.message : String(error);
    process.stderr.write(
      `error: ${text.replaceAll("\n", " ")}${error instanceof CommandError ? "" : ""}\n`,
    );
    return 1;
  }
}

void main(process.argv.slice(2)).then((exitCode) => {
  process.exitCode = exitCode;
});
