import type Docker from "dockerode";
import type { Container } from "dockerode";
import { CommandError, NotDeployedError } from "../errors";
import { HARDENED, limitsOf } from "../hardening";
import { makeRoom, runOneOff, type OneOff } from "../one-off";
import { serviceContainers } from "../services";
import type { Tools } from "../setup";
import type { Step } from "../step";

/** A command of the app's image that runs to its end. */
export interface JobRequest extends OneOff {
  /** Short name: that of the container, which only one job at a time can have, and its label. */
  readonly task: string;
  /** Command and arguments of the image. */
  readonly command: readonly string[];
  /** Whether a second one must not run beside it. @default true */
  readonly exclusive?: boolean;
  /** Network on which it runs. @default the stack's own */
  readonly network?: string;
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
  const { exitCode, result, problem } = await runOneOff(tools.docker, container, request, step);
  if (exitCode === USAGE)
    throw new CommandError(
      `The app that runs on stack "${request.stack}" does not know the command "${request.command.join(" ")}": its release is older than this program.`,
      `Deploy a release that was built with it: ./mlops up --stack ${request.stack}`,
    );
  if (exitCode !== 0 || result === undefined) throw new JobError(request.noun, exitCode, problem);
  return result as T;
}

/** A container like the app's own, with the job instead of the server. */
async function createContainer(docker: Docker, request: JobRequest): Promise<Container> {
  const { stack, task } = request;
  const [app] = (await serviceContainers(docker, stack, "app")).filter(
    (container) => container.State === "running",
  );
  if (app === undefined) throw new NotDeployedError(stack);
  const like = await docker.getContainer(app.Id).inspect();
  const network =
    request.network ??
    Object.keys(like.NetworkSettings.Networks).find((name) => name.endsWith("-application"));
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
      ...HARDENED,
      ...limitsOf(like.HostConfig),
      Tmpfs: { "/tmp": "rw,nosuid,nodev,size=1g,mode=1777" },
    },
  });
}
