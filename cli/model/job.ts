import { PassThrough } from "node:stream";
import type Docker from "dockerode";
import type { Container, ContainerInspectInfo } from "dockerode";
import { CommandError, NotDeployedError, statusOf } from "../errors";
import { InterruptedError } from "../operation";
import { serviceContainers } from "../services";
import type { Tools } from "../setup";
import { readErrors, readEvents } from "../job-events";
import type { Step } from "../step";

/** A command of the app's image that runs to its end. */
export interface JobRequest {
  readonly stack: string;
  /** Short name: that of the container, which only one job at a time can have, and its label. */
  readonly task: string;
  /** What it is, in a sentence, such as `training job`. */
  readonly noun: string;
  /** Command and arguments of the image. */
  readonly command: readonly string[];
  /** Whether a second one must not run beside it. @default true */
  readonly exclusive?: boolean;
  /** Command of this program that does it again. */
  readonly retry: string;
}

/** A job ended with an error; the step's log has all that it said. */
export class JobError extends Error {
  /**
   * @param problem the paragraph for a person that it printed, with cause and fix; undefined when it
   *   failed without one.
   */
  constructor(
    noun: string,
    readonly exitCode: number,
    readonly problem: string | undefined,
  ) {
    super(`the ${noun} ended with exit code ${exitCode}`);
    this.name = new.target.name;
  }
}

/** What a job needs to know of the app's environment. */
const VARIABLES = ["APP_VERSION", "LOG_LEVEL", "MLFLOW_TRACKING_URI", "MODEL_NAME", "MODEL_ALIAS"];

/** Exit code of the image's command line for an argument that it does not know. */
const USAGE = 2;

/**
 * Runs a command of the image that the stack's app runs, in a container like the app's own on the
 * stack's network, and returns its result. Its steps show as what the step does now; it is stopped
 * when this command is stopped.
 *
 * @throws NotDeployedError, CommandError when one runs already or the image has no such command,
 *   InterruptedError, or JobError when it fails.
 */
export async function runJob<T>(tools: Tools, request: JobRequest, step: Step): Promise<T> {
  const container = await createContainer(tools.docker, request);
  const stopping = new AbortController();
  const stop = (): void => {
    stopping.abort();
    // It removes itself when it has ended; the exit code says that it was stopped.
    void container.stop({ t: 5 });
  };
  process.on("SIGINT", stop).on("SIGTERM", stop);
  try {
    const { exitCode, result, problem } = await follow(tools.docker, container, step);
    if (stopping.signal.aborted) throw new InterruptedError(`The ${request.noun}`, request.retry);
    if (exitCode === USAGE)
      throw new CommandError(
        `The app that runs on stack "${request.stack}" does not know the command "${request.command.join(" ")}": its release is older than this program.`,
        `Deploy a release that was built with it: ./mlops up --stack ${request.stack}`,
      );
    if (exitCode !== 0 || result === undefined) throw new JobError(request.noun, exitCode, problem);
    return result as T;
  } finally {
    process.off("SIGINT", stop).off("SIGTERM", stop);
  }
}

/** A container like the app's own, with the job instead of the server. */
async function createContainer(docker: Docker, request: JobRequest): Promise<Container> {
  const { stack, task } = request;
  const [app] = (await serviceContainers(docker, stack, "app")).filter(
    (container) => container.State === "running",
  );
  if (app === undefined) throw new NotDeployedError(stack);
  const like = await docker.getContainer(app.Id).inspect();
  const network = Object.keys(like.NetworkSettings.Networks).find((name) =>
    name.endsWith("-application"),
  );
  if (network === undefined) throw new NotDeployedError(stack);
  const name = `mlops-${stack}-${task}`;
  const exclusive = request.exclusive ?? true;
  if (exclusive) await makeRoom(docker, name, request);
  return docker.createContainer({
    ...(exclusive ? { name } : {}),
    Image: like.Image,
    Cmd: [...request.command],
    User: like.Config.User,
    // Docker says null for none.
    Env: ((like.Config.Env as string[] | null) ?? []).filter((entry) =>
      VARIABLES.includes(entry.split("=")[0] ?? ""),
    ),
    Labels: { "mlops.stack": stack, "mlops.service": "app", "mlops.task": task },
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
async function makeRoom(docker: Docker, name: string, request: JobRequest): Promise<void> {
  const found = await docker.listContainers({ all: true, filters: { name: [`^/${name}$`] } });
  for (const container of found) {
    if (container.State === "running")
      throw new CommandError(
        `A ${request.noun} of stack "${request.stack}" runs already (container ${name}).`,
        `Wait until it ends, or stop it: docker stop ${name}`,
      );
    await removeEnded(docker.getContainer(container.Id));
  }
}

/** Removes a container that Docker may be removing at this moment. */
async function removeEnded(container: Container): Promise<void> {
  const gone = unless([404], container.wait({ condition: "removed" }));
  await unless([404, 409], container.remove({ force: true }));
  await gone;
}

/** Waits for an answer of Docker's; these HTTP statuses are as good. */
async function unless(statuses: readonly number[], answer: Promise<unknown>): Promise<void> {
  try {
    await answer;
  } catch (error) {
    const status = statusOf(error);
    if (status === undefined || !statuses.includes(status)) throw error;
  }
}

/** Starts the job, and reads what it prints until it has ended. */
async function follow(
  docker: Docker,
  container: Container,
  step: Step,
): Promise<{ exitCode: number; result: unknown; problem: string | undefined }> {
  const stream = await container.attach({ stream: true, stdout: true, stderr: true });
  const output = new PassThrough();
  const errors = new PassThrough();
  docker.modem.demuxStream(stream, output, errors);
  stream.once("end", () => {
    output.end();
    errors.end();
  });
  // Not its exit alone: the next job of that name needs it gone.
  const ended = container.wait({ condition: "removed" }) as Promise<{ StatusCode: number }>;
  await container.start();
  const [result, problem] = await Promise.all([readEvents(output, step), readErrors(errors, step)]);
  return { exitCode: (await ended).StatusCode, result, problem };
}
