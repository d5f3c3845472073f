import { json } from "node:stream/consumers";
import { Command } from "commander";
import type { Attempt, Passage } from "../../components/ledger";
import type { Context } from "../context";
import { connectDocker } from "../docker";
import { checkRelease } from "../release/check";
import { drain } from "../release/drain";
import { passGate } from "../release/gate";
import type { CheckInput, DrainInput, GateInput, RecordInput, SwitchInput } from "../release/input";
import { keptLedger } from "../release/kept-ledger";
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
  const previous = async (
    stack: string,
    memory: "check" | "record",
  ): Promise<readonly unknown[]> => {
    // Pulumi's command resource gives a command back what it printed the last time.
    const stdout = context.env["PULUMI_COMMAND_STDOUT"] ?? "";
    return stdout === "" ? keptLedger(context, stack, memory) : (JSON.parse(stdout) as unknown[]);
  };
  switch (step) {
    case "check": {
      const begun = input as CheckInput;
      return checkRelease(docker, begun, (await previous(begun.stack, "check")) as Attempt[]);
    }
    case "gate":
      return passGate(docker, context.env, input as GateInput);
    case "switch": {
      const wanted = input as SwitchInput;
      const { canary } = loadConfig(context, wanted.stack).release;
      return makeLive(docker, context.env, wanted, canary);
    }
    case "drain":
      return drain(docker, input as DrainInput);
    case "record": {
      const passed = input as RecordInput;
      return recordPassage(docker, passed, (await previous(passed.stack, "record")) as Passage[]);
    }
  }
}
