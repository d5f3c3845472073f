import { json } from "node:stream/consumers";
import { Command } from "commander";
import type { Attempt, Passage } from "../../components/ledger";
import type { Context } from "../context";
import { connectDocker } from "../docker";
import { checkRelease } from "../release/check";
import { drain } from "../release/drain";
import { passGate } from "../release/gate";
import type { CheckInput, DrainInput, GateInput, RecordInput, SwitchInput } from "../release/input";
import { recordPassage } from "../release/record";
import { makeLive } from "../release/switch";
import { loadConfig } from "../stack-config";

type StepName = "check" | "gate" | "switch" | "drain" | "record";

/**
 * `./mlops release STEP`: a step of a release, as the program's commands run it. Reads its input
 * from standard input and prints its result, both as JSON.
 */
export function releaseCommand(context: Context): Command {
  return new Command("release")
    .description("Run a step of a release; the deployment does this itself.")
    .argument("<step>", "check, gate, switch, drain or record")
    .action(async (step: StepName) => {
      process.stdout.write(JSON.stringify(await run(context, step)));
    });
}

async function run(context: Context, step: StepName): Promise<unknown> {
  const docker = await connectDocker(context.env);
  const input = await json(process.stdin);
  switch (step) {
    case "check":
      return checkRelease(docker, input as CheckInput, previous(context) as Attempt[]);
    case "gate":
      return passGate(docker, context.env, input as GateInput);
    case "switch": {
      const wanted = input as SwitchInput;
      const { canary } = loadConfig(context, wanted.stack).release;
      return makeLive(docker, context.env, wanted, canary);
    }
    case "drain":
      return drain(docker, input as DrainInput);
    case "record":
      return recordPassage(docker, input as RecordInput, previous(context) as Passage[]);
  }
}

/** What the same step printed the last time it ran: Pulumi's command resource gives it back. */
function previous(context: Context): unknown {
  const stdout = context.env["PULUMI_COMMAND_STDOUT"] ?? "";
  return stdout === "" ? [] : (JSON.parse(stdout) as unknown);
}
