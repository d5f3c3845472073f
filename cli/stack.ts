import { existsSync } from "node:fs";
import { join } from "node:path";
import type * as Automation from "@pulumi/pulumi/automation/index.js";
import type { PulumiCommand, Stack } from "@pulumi/pulumi/automation/index.js";
import type { Context } from "./context";
import { NotDeployedError } from "./errors";
import type { Tools } from "./setup";
import type { PulumiProgram } from "./setup/toolchain";
import { explain } from "./pulumi-error";
import { runProgram } from "./exec";

/** Name of the project in `Pulumi.yaml`; also the start of names on the Docker host. */
export const PROJECT = "mlops";

/** The state file of a stack, or undefined where the state is not in files on this machine. */
export function stateFile(tools: Tools, stack: string): string | undefined {
  return tools.stateFolder === undefined
    ? undefined
    : join(tools.stateFolder, ".pulumi", "stacks", PROJECT, `${stack}.json`);
}

/**
 * Opens a stack for the operations of the Automation API, and makes it first if `create` is set.
 * Unlike `pulumi stack select` it leaves alone which stack the user's shell works on.
 *
 * @throws NotDeployedError if the stack does not exist and `create` is not set.
 */
export async function openStack(
  context: Context,
  tools: Tools,
  name: string,
  create: boolean,
): Promise<Stack> {
  // Loaded on use: it is most of the time that a command without it takes to start.
  const automation = await import("@pulumi/pulumi/automation/index.js");
  const workspace = await automation.LocalWorkspace.create({
    workDir: context.root,
    envVars: { ...tools.env },
    pulumiCommand: await pulumiCommand(automation, tools.pulumi),
  });
  const exists = await stackExists(context, tools, name);
  if (!exists && !create) throw new NotDeployedError(name);
  if (!exists) await runPulumi(context, tools, "stack", "init", "--stack", name, "--no-select");
  workspace.selectStack = () => Promise.resolve();
  const stack = await automation.Stack.select(name, workspace);
  // Both ask Pulumi several times again after every operation; what is needed comes with its events.
  stack.info = () => Promise.resolve(undefined);
  stack.outputs = () => Promise.resolve({});
  return stack;
}

/**
 * The Automation API asks a program for its version before every use, which takes a seventh of a
 * second; the constructor behind that needs no asking, but is not part of the types.
 */
async function pulumiCommand(
  automation: typeof Automation,
  { program, version }: PulumiProgram,
): Promise<PulumiCommand> {
  if (version === undefined) return automation.PulumiCommand.get();
  const Known = automation.PulumiCommand as unknown as new (
    program: string,
    version: { readonly toString: () => string },
  ) => PulumiCommand;
  return new Known(program, { toString: () => version });
}

/** Outputs of a stack, such as its URLs; secret ones are masked. */
export async function readOutputs(
  context: Context,
  tools: Tools,
  name: string,
): Promise<Readonly<Record<string, unknown>>> {
  if (!(await stackExists(context, tools, name))) throw new NotDeployedError(name);
  const json = await runPulumi(context, tools, "stack", "output", "--json", "--stack", name);
  return JSON.parse(json) as Record<string, unknown>;
}

async function stackExists(context: Context, tools: Tools, name: string): Promise<boolean> {
  const file = stateFile(tools, name);
  if (file !== undefined) return existsSync(file);
  const stacks = JSON.parse(await runPulumi(context, tools, "stack", "ls", "--json")) as {
    readonly name: string;
  }[];
  return stacks.some((stack) => stack.name === name || stack.name.endsWith(`/${name}`));
}

/** Runs one of Pulumi's commands that the Automation API has no function for. */
export async function runPulumi(
  context: Context,
  tools: Tools,
  ...args: string[]
): Promise<string> {
  try {
    const { stdout } = await runProgram(tools.pulumi.program, [...args, "--non-interactive"], {
      cwd: context.root,
      env: tools.env,
    });
    return stdout;
  } catch (error) {
    throw explain(error, {
      operation: `pulumi ${args[0] ?? ""}`,
      stack: args.at(-1) ?? "",
      diagnostics: [],
      retry: `pulumi ${args.join(" ")}`,
      passphraseSource: tools.passphraseSource,
    });
  }
}
