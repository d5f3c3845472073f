import { CommandError, NotDeployedError } from "../errors";
import { readErrors, readEvents } from "../job-events";
import { serviceContainers } from "../services";
import type { Tools } from "../setup";
import type { Step } from "../step";

/** A command of the agent. */
export interface AgentRequest {
  readonly stack: string;
  /** Such as `["list"]`. */
  readonly args: readonly string[];
  /** What it reads from its standard input. @default nothing */
  readonly input?: string;
}

/**
 * Runs a command of the agent in the stack's backup container. It goes on there when this process is
 * killed: half a backup is worth nothing.
 *
 * @returns its result.
 * @throws NotDeployedError; CommandError with the agent's own words when it fails.
 */
export async function execAgent(
  { docker, env }: Pick<Tools, "docker" | "env">,
  { stack, args, input }: AgentRequest,
  step: Step,
): Promise<unknown> {
  const [container] = await serviceContainers(docker, stack, "backup");
  if (container === undefined) throw new NotDeployedError(stack);
  if (container.State !== "running")
    throw new CommandError(
      `The backup service of stack "${stack}" does not run (${container.Status}).`,
      `Look why, and start it: ./mlops logs backup --stack ${stack}, ./mlops up --stack ${stack}`,
    );
  const { execa } = await import("execa");
  const child = execa("docker", ["exec", "--interactive", container.Id, "agent", ...args], {
    env: { ...env },
    ...(input === undefined ? { stdin: "ignore" as const } : { input }),
    buffer: false,
    reject: false,
  });
  const [result, problem, { exitCode }] = await Promise.all([
    readEvents(child.stdout, step),
    readErrors(child.stderr, step),
    child,
  ]);
  if (exitCode === 0 && result !== undefined) return result;
  throw new CommandError(
    problem ?? `The backup service ended "${args.join(" ")}" with exit code ${exitCode ?? -1}.`,
    problem === undefined ? `Its log: ./mlops logs backup --stack ${stack}` : "",
  );
}
