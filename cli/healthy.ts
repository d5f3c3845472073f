import { setTimeout as delay } from "node:timers/promises";
import type Docker from "dockerode";
import type { ContainerInspectInfo } from "dockerode";
import { execInContainer } from "./container-exec";
import { CommandError } from "./errors";

const POLL_MS = 200;
const LOG_LINES = 20;

/** For how long containers are waited for. */
export interface Patience {
  readonly seconds: number;
  /** Configuration key that says so. @default none does */
  readonly key?: string;
  /** What puts it right where they do not become healthy, as a sentence. */
  readonly fix: string;
}

/**
 * Waits until containers are healthy, and not a moment longer when one of them shows that it will
 * not be.
 *
 * @param ids Docker IDs.
 * @returns seconds from the start of the container that was last to its being healthy.
 * @throws CommandError with the cause and the last lines of the container's log.
 */
export async function untilHealthy(
  docker: Docker,
  ids: readonly string[],
  patience: Patience,
): Promise<number> {
  const deadline = Date.now() + patience.seconds * 1000;
  const seconds = await Promise.all(ids.map((id) => healthy(docker, id, deadline, patience)));
  return Math.max(0, ...seconds);
}

async function healthy(
  docker: Docker,
  id: string,
  deadline: number,
  { seconds, key, fix }: Patience,
): Promise<number> {
  for (;;) {
    const details = await docker.getContainer(id).inspect();
    const { State } = details;
    const health = State.Health?.Status ?? "healthy";
    if (
      State.Running &&
      !State.Restarting &&
      (health === "healthy" || (await passes(docker, details)))
    )
      return (Date.now() - Date.parse(State.StartedAt)) / 1000;
    const failure = failureOf(details, health);
    if (failure !== undefined) throw await explain(docker, details, failure, fix);
    if (Date.now() > deadline)
      throw await explain(
        docker,
        details,
        `is still not healthy after ${seconds} s${key === undefined ? "" : ` (${key})`}: ${lastProbe(details)}`,
        fix,
      );
    await delay(POLL_MS);
  }
}

/** Runs the container's own health check, sooner than Docker does, which first waits its interval. */
async function passes(docker: Docker, { Id, Config }: ContainerInspectInfo): Promise<boolean> {
  const [kind, ...command] = Config.Healthcheck?.Test ?? [];
  if (kind !== "CMD") return false;
  try {
    return (await execInContainer(docker, Id, command)).exitCode === 0;
  } catch {
    // It has just ended; the next look says how.
    return false;
  }
}

/** Why a container will not become healthy, undefined while it may. */
function failureOf(details: ContainerInspectInfo, health: string): string | undefined {
  const { State, RestartCount } = details;
  if (RestartCount > 0 || State.Restarting || State.Status === "exited" || State.Status === "dead")
    return State.OOMKilled
      ? "was killed: it needs more memory than its limit"
      : `ended with exit code ${State.ExitCode}${RestartCount > 0 ? `, ${RestartCount} times so far` : ""}`;
  return health === "unhealthy" ? `is unhealthy: ${lastProbe(details)}` : undefined;
}

/** What the container's own health check said last. */
function lastProbe({ State }: ContainerInspectInfo): string {
  const last = State.Health?.Log.at(-1)?.Output.trim();
  return last === undefined || last === "" ? "its health check said nothing" : last.slice(-300);
}

async function explain(
  docker: Docker,
  details: ContainerInspectInfo,
  failure: string,
  fix: string,
): Promise<CommandError> {
  const name = details.Name.replace(/^\//, "");
  const log = await logTail(docker, details);
  return new CommandError(
    `The new container ${name} ${failure}.\nThe last lines of its log:\n${log}\n`,
    fix,
  );
}

async function logTail(docker: Docker, { Id }: ContainerInspectInfo): Promise<string> {
  const log = await docker
    .getContainer(Id)
    .logs({ stdout: true, stderr: true, tail: LOG_LINES, follow: false });
  const lines = unframe(log).trimEnd().split("\n");
  return lines.map((line) => `  ${line}`).join("\n");
}

/** Takes out the headers of 8 bytes that Docker puts before each piece of a log. */
export function unframe(log: Buffer): string {
  const pieces: Buffer[] = [];
  for (let at = 0; at + 8 <= log.length;) {
    const length = log.readUInt32BE(at + 4);
    pieces.push(log.subarray(at + 8, at + 8 + length));
    at += 8 + length;
  }
  return Buffer.concat(pieces).toString("utf8");
}
