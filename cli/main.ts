import { Command, CommanderError } from "commander";
import { createContext } from "./context";
import { reportError } from "./report";
import { commands, internalCommands } from "./commands";

/** What the starter passes in. */
export interface MainArgs {
  /** Folder of the project. */
  readonly root: string;
  /** Arguments after the program's name. */
  readonly argv: readonly string[];
  readonly env: NodeJS.ProcessEnv;
}

/** Runs one command. Resolves to the exit code, and never throws. */
export async function main({ root, argv, env }: MainArgs): Promise<number> {
  const context = createContext(root, env);
  const program = new Command("mlops")
    .description("Deploys and operates an MLOps stack on a Docker host.")
    .helpCommand(true)
    .showHelpAfterError("See ./mlops --help.")
    .exitOverride();
  for (const build of [...commands, ...internalCommands]) {
    const command = build(context);
    program.addCommand(
      command.exitOverride().showHelpAfterError(`See: ./mlops ${command.name()} --help`),
      { hidden: internalCommands.includes(build) },
    );
  }
  try {
    await program.parseAsync(argv, { from: "user" });
    return 0;
  } catch (error) {
    // Commander has printed its own messages; 0 is --help and --version.
    if (error instanceof CommanderError) return error.exitCode;
    return reportError(context.terminal, error, env);
  }
}
