import type Docker from "dockerode";
import type { Container } from "dockerode";
import { demux } from "./demux";
import { CommandError, statusOf } from "./errors";
import { readErrors, readEvents } from "./job-events";
import { InterruptedError } from "./operation";
import type { Step } from "./step";

/** What a container that runs to its end is, in words. */
export interface OneOff {
  readonly stack: string;
  /** In a sentence, such as `training job`. */
  readonly noun: string;
  /** Command of this program that does it again. */
  readonly retry: string;
}

/** How it ended. */
export interface OneOffEnd {
  readonly exitCode: number;
  /** Its last event; undefined when it printed none. */
  readonly result: unknown;
  /** The paragraph for a person that it printed, with cause and fix. */
  readonly problem: string | undefined;
}

/** Makes room for a container's name, unless one runs under it. @throws CommandError */
export async function makeRoom(
  docker: Docker,
  name: string,
  { stack, noun }: Pick<OneOff, "stack" | "noun">,
): Promise<void> {
  const found = await docker.listContainers({ all: true, filters: { name: [`^/${name}$`] } });
  for (const container of found) {
    if (container.State === "running")
      throw new CommandError(
        `A ${noun} of stack "${stack}" runs already (container ${name}).`,
        `Wait until it ends, or stop it: docker stop ${name}`,
      );
    await removeEnded(docker.getContainer(container.Id));
  }
}

/**
 * Starts a container that removes itself, and reads what it prints until it is gone. Its steps show
 * as what the step does now; it is stopped when this command is stopped.
 *
 * @throws InterruptedError
 */
export async function runOneOff(
  docker: Docker,
  container: Container,
  { noun, retry }: Pick<OneOff, "noun" | "retry">,
  step: Step,
): Promise<OneOffEnd> {
  const stopping = new AbortController();
  const stop = (): void => {
    stopping.abort();
    // It removes itself when it has ended; the exit code says that it was stopped.
    void container.stop({ t: 5 });
  };
  process.on("SIGINT", stop).on("SIGTERM", stop);
  try {
    const ended = await follow(docker, container, step);
    if (stopping.signal.aborted) throw new InterruptedError(`The ${noun}`, retry);
    return ended;
  } finally {
    process.off("SIGINT", stop).off("SIGTERM", stop);
  }
}

async function follow(docker: Docker, container: Container, step: Step): Promise<OneOffEnd> {
  const stream = await container.attach({ stream: true, stdout: true, stderr: true });
  const { stdout, stderr } = demux(docker, stream);
  // Not its exit alone: the next one of that name needs it gone.
  const ended = container.wait({ condition: "removed" }) as Promise<{ StatusCode: number }>;
  await container.start();
  const [result, problem] = await Promise.all([readEvents(stdout, step), readErrors(stderr, step)]);
  return { exitCode: (await ended).StatusCode, result, problem };
}

/** Removes a container that Docker may be removing at this moment. */
export async function removeEnded(container: Container): Promise<void> {
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
