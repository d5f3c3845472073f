import { readFile, stat } from "node:fs/promises";
import { delimiter, join } from "node:path";
import type { Context } from "../context";
import { CommandError } from "../errors";
import { writeFileAtomically } from "../files";
import { aptInstall } from "./apt";
import { runSetUpStep } from "./durations";
import { findPrograms, linkPrivately, privateBin, searchPath } from "./programs";
import { runProgram } from "../exec";

/** Docker clients before this one build with BuildKit by themselves; later ones need buildx. */
const FIRST_WITHOUT_BUILDER = 23;

/**
 * Makes sure of a `docker` client that can build with BuildKit.
 *
 * @returns folders to put first on PATH, so that children find that client.
 */
export async function ensureDockerClient(context: Context, retry: string): Promise<string[]> {
  const found = await findBuildClient(context);
  if (found !== undefined) return usingClient(context, found);
  await runSetUpStep(
    context,
    { name: "docker-client", title: "Installing a Docker client that can build images", retry },
    (step) => aptInstall(step, ["docker.io"], ["docker-cli", "docker-buildx"]),
  );
  const installed = await findBuildClient(context);
  if (installed === undefined)
    throw new CommandError(
      "No docker client on this machine can build with BuildKit, not even after installing docker.io.",
      "Install docker with its buildx plugin, then run the command again.",
    );
  return usingClient(context, installed);
}

async function usingClient(context: Context, client: string): Promise<string[]> {
  const own = privateBin(context);
  const path = (context.env["PATH"] ?? "").split(delimiter).filter((folder) => folder !== own);
  const [first] = await findPrograms("docker", path);
  if (client === first) return [];
  await linkPrivately(context, "docker", client);
  return [own];
}

/** The client found last, as long as it is there and the same: asking them all takes a while. */
async function findBuildClient(context: Context): Promise<string | undefined> {
  const own = privateBin(context);
  const folders = searchPath(context.env).filter((folder) => folder !== own);
  const clients = await findPrograms("docker", folders);
  const memory = join(context.cacheDir, "docker-client");
  const remembered = await readFile(memory, "utf8").catch(() => "");
  for (const client of clients) if ((await fingerprint(client)) === remembered) return client;
  for (const client of clients) {
    if (!(await canBuild(client))) continue;
    await writeFileAtomically(memory, await fingerprint(client));
    return client;
  }
  return undefined;
}

async function fingerprint(program: string): Promise<string> {
  const { size, mtimeMs } = await stat(program);
  return `${program} ${size} ${mtimeMs}`;
}

async function canBuild(client: string): Promise<boolean> {
  // "Docker version 28.2.2, build e6534b4"; podman's stand-in says something else.
  const version = await runProgram(client, ["--version"], { reject: false });
  const major = /^Docker version (\d+)\./.exec(version.stdout)?.[1];
  if (major === undefined) return false;
  if (Number(major) < FIRST_WITHOUT_BUILDER) return true;
  const buildx = await runProgram(client, ["buildx", "version"], {
    reject: false,
  });
  return !buildx.failed;
}
