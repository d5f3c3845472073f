import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { dockerClient } from "../cli/docker";
import { Deployer, type PrintedLine } from "../cli/drill/deployer";
import { ThrowawayStack } from "../cli/drill/throwaway-stack";

/** How a command ended. */
export interface Ended {
  readonly exitCode: number;
  readonly stdout: string;
  /** Standard output and standard error together, as a person sees them. */
  readonly output: string;
}

/** A throw-away stack for a test, and the commands that are run on it. */
export class Sandbox {
  private constructor(
    private readonly project: ThrowawayStack,
    private readonly within: () => readonly string[],
  ) {}

  /**
   * @param base stack of the project whose configuration the new one starts from.
   * @param values configuration on top, without the namespace.
   * @param within what to put before each command line of `./mlops`. @default nothing
   */
  static async create(
    base: string,
    values: Readonly<Record<string, string>> = {},
    within: () => readonly string[] = () => [],
  ): Promise<Sandbox> {
    const request = { source: process.cwd(), prefix: "test", base, values };
    return new Sandbox(await ThrowawayStack.create(request), within);
  }

  /** Folder of the copy of the project. */
  get root(): string {
    return this.project.root;
  }

  /** Name of the stack, and of the label of everything it makes. */
  get stack(): string {
    return this.project.name;
  }

  /** Environment of its commands. */
  get environment(): NodeJS.ProcessEnv {
    return this.project.environment(process.env);
  }

  /**
   * Runs `./mlops` without a terminal, and waits for its end.
   *
   * @param input what it reads. @default nothing
   */
  async run(
    args: readonly string[],
    env: Readonly<Record<string, string>> = {},
    input?: string,
  ): Promise<Ended> {
    const [program = "", ...line] = [...this.within(), join(this.root, "mlops"), ...args];
    return runProgram(program, line, {
      cwd: this.root,
      env: { ...this.environment, ...env },
      ...(input === undefined ? {} : { input }),
    });
  }

  /** Starts `./mlops` in a session of its own, so that it can be killed with all that it started. */
  start(
    args: readonly string[],
    env: Readonly<Record<string, string>>,
    onLine: (line: PrintedLine) => void,
  ): Deployer {
    return new Deployer({
      program: join(this.root, "mlops"),
      args,
      cwd: this.root,
      env: { ...this.project.environment(process.env), ...env },
      onLine,
    });
  }

  /** Runs plain `pulumi` on the sandbox's stack, in the environment that `./mlops env` prints. */
  async pulumi(
    args: readonly string[],
    env: Readonly<Record<string, string>> = {},
  ): Promise<Ended> {
    const printed = JSON.parse((await this.run(["env", "--json"])).stdout) as NodeJS.ProcessEnv;
    return runProgram("pulumi", [...args, "--non-interactive", "--stack", this.stack], {
      cwd: this.root,
      env: { ...this.environment, ...printed, ...env },
    });
  }

  /** Runs a command on the sandbox's stack that must succeed. */
  async succeed(command: string, ...args: readonly string[]): Promise<Ended> {
    const ended = await this.run([command, "--stack", this.stack, ...args]);
    assert.equal(ended.exitCode, 0, `./mlops ${command} failed:\n${ended.output}`);
    return ended;
  }

  /** Removes the stack with its data, by name: it belongs to the test that made it. */
  async remove(): Promise<void> {
    await this.project.remove(await dockerClient());
  }
}

/** Runs a program without a terminal, and waits for its end, whatever that is. */
export async function runProgram(
  program: string,
  args: readonly string[],
  options: {
    readonly cwd?: string;
    readonly env?: NodeJS.ProcessEnv;
    readonly input?: string;
  } = {},
): Promise<Ended> {
  const child = spawn(program, args, {
    cwd: options.cwd,
    env: options.env ?? process.env,
    stdio: ["pipe", "pipe", "pipe"],
  });
  // A program may end without having read what it was given.
  child.stdin.on("error", () => undefined).end(options.input ?? "");
  let stdout = "";
  let output = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    stdout += text;
    output += text;
  });
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    output += text;
  });
  const [code] = (await once(child, "close")) as [number | null];
  return { exitCode: code ?? -1, stdout, output };
}

/** Runs the Docker client, which must succeed, and returns the lines it printed. */
export async function docker(...args: readonly string[]): Promise<string[]> {
  const { exitCode, stdout, output } = await runProgram("docker", args);
  assert.equal(exitCode, 0, output);
  return stdout.split("\n").filter((line) => line !== "");
}
