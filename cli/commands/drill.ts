import { Command } from "commander";
import { serveLoad } from "../load/generator";

/** `./mlops drill`: proofs that take a while, on throw-away stacks. */
export function drillCommand(): Command {
  return new Command("drill")
    .description("Prove on a throw-away stack what is said of this project.")
    .addCommand(loadCommand(), { hidden: true });
}

/** What `drill release` starts beside itself: a load, told by its standard input. */
function loadCommand(): Command {
  return new Command("load")
    .description("Send a load; settings and commands are JSON lines on standard input.")
    .action(() => serveLoad(process.stdin, process.stdout));
}
