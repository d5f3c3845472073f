import { mkdir, readdir, readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import type { Context } from "../context";
import { codeOf, CommandError } from "../errors";
import { writeFileAtomically } from "../files";
import { inspectImage } from "../images";
import type { LoadSettings } from "../load/protocol";
import { PublicApi } from "../public-api";
import { setUp, type Tools } from "../setup";
import type { Step } from "../step";
import { Deployer, type Deployed, type PrintedLine } from "./deployer";
import { loadSettings } from "./load-settings";
import { buildDrillRelease } from "./releases";
import { ThrowawayStack } from "./throwaway-stack";

/** What a drill left behind when it was killed, in a file of its own each. */
interface Leftover {
  readonly pid: number;
  readonly root: string;
  readonly name: string;
}

/** Which stack a drill makes. */
export interface DrillStackRequest {
  /** Number of the app's containers. */
  readonly replicas: number;
  /** Command that runs the drill again. */
  readonly retry: string;
  /** Stops the drill. */
  readonly signal: AbortSignal;
}

/** So many lines tell why a command failed. */
const SHOWN_LINES = 30;

/**
 * A whole stack for drills: over TLS like staging, with two releases that differ in nothing but
 * their names, and a model to answer with.
 */
export class DrillStack {
  /** Number of loads so far. */
  private loads = 0;

  private constructor(
    private readonly outer: Context,
    private readonly project: ThrowawayStack,
    /** Context of the copy of the project. */
    readonly context: Context,
    readonly tools: Tools,
    /** Number of the app's containers. */
    readonly replicas: number,
    /** Ends in good order what runs on the stack. */
    private readonly signal: AbortSignal,
  ) {}

  /** Copies the project and sets up what its commands need; nothing is deployed yet. */
  static async create(outer: Context, wanted: DrillStackRequest): Promise<DrillStack> {
    const { replicas, retry, signal } = wanted;
    const tools = await setUp(outer, { retry, images: true });
    await removeLeftovers(outer, tools);
    const values = { appReplicas: String(replicas) };
    const request = { source: outer.root, prefix: "drill", base: "staging", values };
    const project = await ThrowawayStack.create(request);
    const record: Leftover = { pid: process.pid, root: project.root, name: project.name };
    await mkdir(recordFolder(outer), { recursive: true });
    await writeFileAtomically(recordFile(outer, project.name), JSON.stringify(record));
    const env = project.environment(outer.env);
    const context: Context = {
      ...outer,
      root: project.root,
      stateDir: join(project.root, ".mlops"),
      env: { ...env, PATH: tools.env["PATH"] },
    };
    const own = await setUp(context, { retry, images: true });
    // Pulumi is also run from this process, whose environment is the caller's.
    const backend = { PULUMI_BACKEND_URL: env["PULUMI_BACKEND_URL"] ?? "" };
    const everything = { ...own, env: { ...own.env, ...backend } };
    return new DrillStack(outer, project, context, everything, replicas, signal);
  }

  /** Name of the stack. */
  get name(): string {
    return this.project.name;
  }

  /** Tags of the two releases. */
  get tags(): readonly [string, string] {
    return [`v1.0.0-${this.name}`, `v2.0.0-${this.name}`];
  }

  /** Builds the releases, deploys the first, and trains a model. */
  async prepare(step: Step): Promise<void> {
    for (const tag of this.tags) {
      step.say(`building ${tag}`);
      await buildDrillRelease({ root: this.context.root, tag, env: this.tools.env });
    }
    step.say(`deploying ${this.tags[0]}`);
    await this.require(this.deploy(this.tags[0]), step);
    step.say("training a model");
    await this.require(this.run(["train"]), step);
  }

  /** Starts to deploy a release. */
  deploy(tag: string, onLine?: (line: PrintedLine) => void): Deployer {
    return this.run(["deploy", tag, "--yes"], onLine);
  }

  /** Starts to go back to a release that was live before. */
  rollback(tag: string, onLine?: (line: PrintedLine) => void): Deployer {
    return this.run(["rollback", tag, "--yes"], onLine);
  }

  /** Starts to back it up. */
  backup(): Deployer {
    return this.run(["backup"]);
  }

  /**
   * Waits for a command's end.
   *
   * @throws CommandError when it failed, with the end of what it printed.
   */
  async require(deployer: Deployer, step: Step): Promise<Deployed> {
    const ended = await deployer.ended;
    for (const { text } of ended.lines) step.record(text);
    if (ended.exitCode === 0) return ended;
    const tail = ended.lines.slice(-SHOWN_LINES).map(({ text }) => `  ${text}`);
    throw new CommandError(
      `A command of the drill ended with ${ended.exitCode === null ? "a signal" : `exit code ${ended.exitCode}`}. The end of what it said:\n${tail.join("\n")}`,
      "The drill's stack was removed; correct the cause and run the drill again.",
    );
  }

  /** What the next load on this stack is made of. */
  async loadSettings(rate: number): Promise<LoadSettings> {
    this.loads += 1;
    const api = await PublicApi.of(this.context, this.tools, this.name);
    return loadSettings(api, { stack: this.name, rate, load: this.loads });
  }

  /** Removes all of it: containers, volumes, networks, the two releases' images, the copy. */
  async remove(): Promise<void> {
    await removeAll(this.tools, this.project);
    await rm(recordFile(this.outer, this.name), { force: true });
  }

  private run(args: readonly string[], onLine?: (line: PrintedLine) => void): Deployer {
    const deployer = new Deployer({
      program: join(this.context.root, "mlops"),
      args: [...args, "--stack", this.name],
      cwd: this.context.root,
      env: this.context.env,
      ...(onLine === undefined ? {} : { onLine }),
    });
    const stop = (): void => {
      deployer.interrupt();
    };
    this.signal.addEventListener("abort", stop);
    void deployer.ended.finally(() => {
      this.signal.removeEventListener("abort", stop);
    });
    return deployer;
  }
}

const recordFolder = ({ stateDir }: Context): string => join(stateDir, "drill");

const recordFile = (context: Context, name: string): string =>
  join(recordFolder(context), `${name}.json`);

/** Removes the stacks of drills that were killed. */
async function removeLeftovers(context: Context, tools: Tools): Promise<void> {
  const files = await readdir(recordFolder(context)).catch((error: unknown) => {
    if (codeOf(error) === "ENOENT") return [];
    throw error;
  });
  for (const file of files.filter((name) => name.endsWith(".json"))) {
    const path = join(recordFolder(context), file);
    const { pid, root, name } = JSON.parse(await readFile(path, "utf8")) as Leftover;
    if (isAlive(pid)) continue;
    context.terminal.note(`Removing the stack ${name} that a drill left behind.`);
    await removeAll(tools, ThrowawayStack.existing(root, name));
    await rm(path, { force: true });
  }
}

async function removeAll({ docker }: Tools, project: ThrowawayStack): Promise<void> {
  await project.remove(docker);
  const images = await docker.listImages({
    filters: { reference: [`mlops-app:*-${project.name}`] },
  });
  for (const tag of images.flatMap(({ RepoTags }) => RepoTags ?? []))
    if (tag.endsWith(`-${project.name}`) && (await inspectImage(docker, tag)) !== undefined)
      await docker.getImage(tag).remove();
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return codeOf(error) === "EPERM";
  }
}
