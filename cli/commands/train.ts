import { createInterface } from "node:readline";
import { PassThrough } from "node:stream";
import { setTimeout as delay } from "node:timers/promises";
import { Command } from "commander";
import type Docker from "dockerode";
import type { Container, ContainerInspectInfo } from "dockerode";
import type { Context } from "../context";
import { CommandError, NotDeployedError } from "../errors";
import { InterruptedError } from "../operation";
import { PublicApi } from "../public-api";
import { serviceContainers } from "../services";
import { setUp, type Tools } from "../setup";
import { runStep, type Step } from "../step";
import { renderTable } from "../table";
import { examples, jsonOption, stackOption } from "./options";

interface TrainOptions {
  readonly stack: string;
  readonly json?: true;
}

/** A line of the job's standard output. */
interface TrainEvent {
  readonly event: "started" | "done" | "result";
  /** Of `started` and `done`. */
  readonly step?: string;
}

/** The last line. */
interface TrainResult {
  readonly model: string;
  readonly version: string;
  readonly metrics: Readonly<Record<string, number>>;
  /** What became of the alias. */
  readonly champion: {
    readonly promoted: boolean;
    /** Version that had the alias before. */
    readonly previous_version: string | null;
    /** Name of the metric that decides. */
    readonly metric: string;
    readonly score: number;
    readonly previous_score: number | null;
  };
}

/** The app looks up the alias every 10 s, and a large model takes a while to load. */
const SERVED_WITHIN_MS = 120_000;
const POLL_MS = 500;
/** What the job needs to know of the app's environment. */
const VARIABLES = ["APP_VERSION", "LOG_LEVEL", "MLFLOW_TRACKING_URI", "MODEL_NAME", "MODEL_ALIAS"];

/** `./mlops train`: a new model version, and the champion if it is no worse. */
export function trainCommand(context: Context): Command {
  return new Command("train")
    .description(
      "Run the training job on the stack's network: it registers a new model version, which is " +
        "served if it is no worse than the one before.",
    )
    .addOption(stackOption())
    .addOption(jsonOption())
    .addHelpText("after", examples("./mlops train", "./mlops train --stack staging --json"))
    .action((options: TrainOptions) => train(context, options));
}

async function train(context: Context, options: TrainOptions): Promise<void> {
  const flag = options.stack === "dev" ? "" : ` --stack ${options.stack}`;
  const retry = `./mlops train${flag}`;
  const tools = await setUp(context, { retry, images: false });
  const api = await PublicApi.of(context, tools, options.stack);
  const result = await runStep(
    context,
    { name: "train", title: `Training on ${options.stack}`, retry },
    async (step) => {
      const container = await createJob(tools, options.stack);
      const trained = await runJob(tools.docker, container, step, retry);
      if (trained.champion.promoted) await untilServed(api, trained.version, step);
      return trained;
    },
  );
  if (options.json) {
    context.terminal.printJson(result);
    return;
  }
  const { terminal } = context;
  terminal.print(
    renderTable(
      ["METRIC", "VALUE"].map((title) => terminal.style("bold", title)),
      Object.entries(result.metrics).map(([name, value]) => [name, value.toFixed(4)]),
    ),
  );
  terminal.note(
    result.champion.promoted
      ? `Model ${result.model} version ${result.version} is served now${comparison(result)}. Ask it: ./mlops predict${flag}`
      : `Model ${result.model} version ${result.version} is registered but not served${comparison(result)}.`,
  );
}

/** Why the alias was moved, or not, where there was a version to compare with. */
function comparison({ champion }: TrainResult): string {
  if (champion.previous_version === null || champion.previous_score === null) return "";
  const than = `${champion.previous_score.toFixed(4)} of version ${champion.previous_version}`;
  return `: ${champion.metric} ${champion.score.toFixed(4)} against ${than}`;
}

/** A container like the app's own, with the job instead of the server. */
async function createJob({ docker }: Tools, stack: string): Promise<Container> {
  const [app] = (await serviceContainers(docker, stack, "app")).filter(
    (container) => container.State === "running",
  );
  if (app === undefined) throw new NotDeployedError(stack);
  const like = await docker.getContainer(app.Id).inspect();
  const network = Object.keys(like.NetworkSettings.Networks).find((name) =>
    name.endsWith("-application"),
  );
  if (network === undefined) throw new NotDeployedError(stack);
  const name = `mlops-${stack}-train`;
  await removeEnded(docker, name, stack);
  return docker.createContainer({
    name,
    Image: like.Image,
    Cmd: ["train"],
    User: like.Config.User,
    Env: like.Config.Env.filter((entry) => VARIABLES.includes(entry.split("=")[0] ?? "")),
    Labels: { "mlops.stack": stack, "mlops.service": "app", "mlops.task": "train" },
    Healthcheck: { Test: ["NONE"] },
    HostConfig: {
      AutoRemove: true,
      NetworkMode: network,
      Init: true,
      ReadonlyRootfs: true,
      CapDrop: ["ALL"],
      SecurityOpt: ["no-new-privileges:true"],
      Tmpfs: { "/tmp": "rw,nosuid,nodev,size=1g,mode=1777" },
      ...limitsOf(like),
    },
  });
}

const limitsOf = ({ HostConfig }: ContainerInspectInfo): object => ({
  Memory: HostConfig.Memory,
  MemorySwap: HostConfig.MemorySwap,
  NanoCpus: HostConfig.NanoCpus,
  Ulimits: HostConfig.Ulimits as unknown,
  LogConfig: HostConfig.LogConfig as unknown,
});

/** Makes room for the job's name, unless a job runs under it. */
async function removeEnded(docker: Docker, name: string, stack: string): Promise<void> {
  const found = await docker.listContainers({ all: true, filters: { name: [`^/${name}$`] } });
  for (const container of found) {
    if (container.State === "running")
      throw new CommandError(
        `A training job of stack "${stack}" runs already (container ${name}).`,
        `Wait until it ends, or stop it: docker stop ${name}`,
      );
    await docker.getContainer(container.Id).remove({ force: true });
  }
}

/** Runs the job to its end and returns its result; stops it when this command is stopped. */
async function runJob(
  docker: Docker,
  container: Container,
  step: Step,
  retry: string,
): Promise<TrainResult> {
  const stopping = new AbortController();
  const stop = (): void => {
    stopping.abort();
    // It removes itself when it has ended; the exit code says that it was stopped.
    void container.stop({ t: 5 });
  };
  process.on("SIGINT", stop).on("SIGTERM", stop);
  try {
    const stream = await container.attach({ stream: true, stdout: true, stderr: true });
    const output = new PassThrough();
    const errors = new PassThrough();
    docker.modem.demuxStream(stream, output, errors);
    stream.once("end", () => {
      output.end();
      errors.end();
    });
    const ended = container.wait({ condition: "next-exit" }) as Promise<{ StatusCode: number }>;
    await container.start();
    const [result] = await Promise.all([readEvents(output, step), readErrors(errors, step)]);
    const { StatusCode } = await ended;
    if (stopping.signal.aborted) throw new InterruptedError("The training job", retry);
    if (StatusCode !== 0 || result === undefined)
      throw new Error(`the training job ended with exit code ${StatusCode}`);
    return result;
  } finally {
    process.off("SIGINT", stop).off("SIGTERM", stop);
  }
}

async function readEvents(output: PassThrough, step: Step): Promise<TrainResult | undefined> {
  let result: TrainResult | undefined;
  for await (const line of createInterface({ input: output })) {
    step.say(line);
    if (!line.startsWith("{")) continue;
    const event = JSON.parse(line) as TrainEvent;
    if (event.event === "result") result = event as unknown as TrainResult;
    else if (event.event === "started") step.say(event.step ?? "");
  }
  return result;
}

async function readErrors(errors: PassThrough, step: Step): Promise<void> {
  for await (const line of createInterface({ input: errors })) step.record(line);
}

/** Waits until the public API answers with the new version. */
async function untilServed(api: PublicApi, version: string, step: Step): Promise<void> {
  step.say(`waiting until version ${version} is served`);
  const deadline = performance.now() + SERVED_WITHIN_MS;
  for (;;) {
    const { status, body } = await api.send("/health/ready");
    if (status === 200) {
      const { model } = JSON.parse(body) as { readonly model?: { readonly version?: string } };
      if (model?.version === version) return;
    }
    if (performance.now() > deadline)
      throw new Error(
        `version ${version} is registered, but the API does not serve it after ${SERVED_WITHIN_MS / 1000} s`,
      );
    await delay(POLL_MS);
  }
}
