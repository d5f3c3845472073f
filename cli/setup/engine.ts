import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdir, open, readdir, readFile, readlink, rm } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import type Docker from "dockerode";
import type { Context } from "../context";
import { dockerAddress, dockerClient, pingFailure, unreachable } from "../docker";
import { codeOf, CommandError, DockerUnreachableError } from "../errors";
import { writeFileAtomically } from "../files";
import { withLock } from "../lock";
import type { Step } from "../step";
import { aptInstall } from "./apt";
import { becomeRoot } from "./privilege";
import { runSetUpStep } from "./durations";
import { findPrograms, searchPath } from "./programs";
import { runProgram } from "../exec";

/** A cold start of dockerd on a busy machine took 8 s; then there are old containers to load. */
const START_TIMEOUT_MS = 120_000;
/** dockerd stops its containers first, each with up to 10 s unless it asks for more. */
const STOP_TIMEOUT_MS = 120_000;
const POLL_MS = 200;

/** The Docker engine that the commands work with. */
export interface Engine {
  readonly docker: Docker;
  /** Whether this run started it. */
  readonly started: boolean;
}

const pidFile = (context: Context): string => join(context.cacheDir, "dockerd.pid");
const logFile = (context: Context): string => join(context.cacheDir, "dockerd.log");

/**
 * Makes sure of a Docker engine: one that answers is used as it is, an installed one is started,
 * and a missing one is installed from the distribution's packages.
 *
 * @throws DockerUnreachableError where there is nothing that could be started from here.
 */
export async function ensureEngine(context: Context, retry: string): Promise<Engine> {
  const docker = await dockerClient();
  const failure = await pingFailure(docker);
  if (failure === undefined) return { docker, started: false };
  if ((context.env["DOCKER_HOST"] ?? "") !== "" || codeOf(failure) === "EACCES")
    throw unreachable(context.env, failure);
  return withLock(context, "docker-engine", async () => {
    if ((await pingFailure(docker)) === undefined) return { docker, started: false };
    if ((await findDaemon(context)) === undefined)
      await runSetUpStep(
        context,
        { name: "docker-install", title: "Installing the Docker engine", retry },
        (step) => aptInstall(step, ["docker.io"], ["docker-cli", "docker-buildx"]),
      );
    await runSetUpStep(
      context,
      { name: "docker-start", title: "Starting the Docker engine", retry },
      (step) => startEngine(context, docker, step),
    );
    return { docker, started: true };
  });
}

async function findDaemon(context: Context): Promise<string | undefined> {
  return (await findPrograms("dockerd", searchPath(context.env)))[0];
}

async function startEngine(context: Context, docker: Docker, step: Step): Promise<void> {
  if (existsSync("/run/systemd/system")) {
    const root = await becomeRoot("Starting the Docker engine", "systemctl start docker");
    await step.run(...root.line("systemctl", "start", "docker"));
    return waitUntilReachable(context, docker, () => true);
  }
  // The package's start script may have been quicker: a second daemon would fight over the data.
  const started = await runningDaemon();
  if (started === undefined) return startByHand(context, docker);
  await writeFileAtomically(pidFile(context), `${started}\n`);
  return waitUntilReachable(context, docker, () => isDaemon(started));
}

/** Starts dockerd so that it outlives this process. */
async function startByHand(context: Context, docker: Docker): Promise<void> {
  const daemon = await findDaemon(context);
  if (daemon === undefined)
    throw new CommandError(
      "dockerd is not there, although its package is installed.",
      "Reinstall it: apt-get install --reinstall docker.io",
    );
  const root = await becomeRoot("Starting the Docker engine", daemon);
  // The socket is for the group docker unless told otherwise; who starts the engine wants to use it.
  const group = process.getuid?.() === 0 ? [] : ["--group", String(process.getgid?.() ?? 0)];
  await mkdir(context.cacheDir, { recursive: true });
  // A file from before a reboot may name a process that has nothing to do with Docker.
  await rm(pidFile(context), { force: true });
  const log = await open(logFile(context), "w");
  // dockerd writes its own pid file, so being killed right here leaves no unknown daemon behind.
  const line = root.line(daemon, "--pidfile", pidFile(context), ...group);
  const child = spawn(...line, {
    cwd: "/",
    detached: true,
    env: context.env,
    stdio: ["ignore", log.fd, log.fd],
  });
  child.unref();
  let ended = false;
  child.once("exit", () => (ended = true));
  child.once("error", () => (ended = true));
  await log.close();
  await waitUntilReachable(context, docker, () => !ended);
}

async function waitUntilReachable(
  context: Context,
  docker: Docker,
  isAlive: () => boolean | Promise<boolean>,
): Promise<void> {
  const deadline = performance.now() + START_TIMEOUT_MS;
  for (;;) {
    // Asked before the ping: a daemon that ends between the two has still not answered.
    const alive = await isAlive();
    const failure = await pingFailure(docker);
    if (failure === undefined) return;
    if (!alive || performance.now() > deadline)
      throw new DockerUnreachableError(
        dockerAddress(context.env),
        `dockerd ${alive ? "does not answer" : "ended at once"}; its last words: ${await lastWords(context)}`,
        `Its log is ${logFile(context)}; correct what it names, then run the command again.`,
      );
    await delay(POLL_MS);
  }
}

async function lastWords(context: Context): Promise<string> {
  const log = await readFile(logFile(context), "utf8").catch(() => "");
  return log.trimEnd().split("\n").slice(-3).join(" | ");
}

/** Process id of a dockerd that runs on this system (not inside one of its containers). */
async function runningDaemon(): Promise<number | undefined> {
  for (const entry of await readdir("/proc"))
    if (/^\d+$/.test(entry) && (await isDaemon(Number(entry)))) return Number(entry);
  return undefined;
}

async function isDaemon(pid: number): Promise<boolean> {
  try {
    const name = await readFile(`/proc/${pid}/comm`, "utf8");
    if (name.trim() !== "dockerd") return false;
    return (await readlink(`/proc/${pid}/ns/mnt`)) === (await readlink("/proc/self/ns/mnt"));
  } catch (error) {
    const code = codeOf(error);
    if (code === "ENOENT" || code === "ESRCH" || code === "EACCES") return false;
    throw error;
  }
}

/**
 * Stops the engine that {@link ensureEngine} started by hand, with its containers. Others are never
 * touched: only the recorded process is, and the service manager's daemon is the service manager's.
 */
export async function stopOwnEngine(context: Context): Promise<void> {
  const recorded = await readFile(pidFile(context), "utf8").catch((error: unknown) => {
    if (codeOf(error) === "ENOENT") return "";
    throw error;
  });
  const pid = Number(recorded.trim());
  if (recorded === "" || !(await isDaemon(pid))) return;
  const root = await becomeRoot("Stopping the Docker engine", `kill ${pid}`);
  await runProgram(...root.line("kill", String(pid)));
  const deadline = performance.now() + STOP_TIMEOUT_MS;
  while (await isDaemon(pid)) {
    if (performance.now() > deadline)
      throw new CommandError(
        `The Docker engine (process ${pid}) did not stop within ${STOP_TIMEOUT_MS / 1000} s.`,
        `See why in ${logFile(context)}.`,
      );
    await delay(POLL_MS);
  }
}
