import type Docker from "dockerode";
import type { Stack } from "@pulumi/pulumi/automation/index.js";
import type { Config } from "../../config";
import type { Context } from "../context";
import { CommandError } from "../errors";
import { asItRuns, type Again } from "../release/as-it-ran";
import { releasesBeforeDown } from "../release/kept-ledger";
import { lastGood, readReleases } from "../release/ledger";
import { setUp, type Tools } from "../setup";
import { openStack } from "../stack";
import { loadConfig } from "../stack-config";
import { Restorer } from "./restorer";
import { keyVolume, missingVolumes, targetVolumes, type TargetVolume } from "./volumes";

/** A stack whose backups can be read. */
export interface ReadyStack {
  readonly context: Context;
  /** With what it comes up again as it ran. */
  readonly again: Again;
  readonly tools: Tools;
  readonly stack: Stack;
  readonly config: Config;
  /** Command that does it again. */
  readonly retry: string;
}

/**
 * Opens a stack to restore its backups; it may be down.
 *
 * @throws NotDeployedError; CommandError where this host knows nothing of its backups.
 */
export async function openBackedUp(
  caller: Context,
  name: string,
  retry: string,
): Promise<ReadyStack> {
  const tools = await setUp(caller, { retry, images: true });
  const stack = await openStack(caller, tools, name, false);
  const again = await againAs(caller, tools, stack);
  const context: Context = { ...caller, env: { ...caller.env, ...again.env } };
  const config = loadConfig(context, name, again.config);
  if ((await missingVolumes(tools.docker, [keyVolume(name)])).length > 0)
    throw new CommandError(
      `This Docker host knows nothing of backups of stack "${name}"; nothing was changed.`,
      `Where they are kept elsewhere, let it find them: set backupRepository and backupKey, run ./mlops up --stack ${name}, then this command with --replace.`,
    );
  return { context, again, tools, stack, config, retry };
}

/** As the caller says by TAG; else as the stack runs, or ran before it was taken down. */
async function againAs(context: Context, tools: Tools, stack: Stack): Promise<Again> {
  const asConfigured: Again = { env: {}, config: {} };
  if ((context.env["TAG"] ?? "") !== "") return asConfigured;
  const releases = await readReleases(tools, stack);
  const live = lastGood(releases) ?? lastGood(await releasesBeforeDown(context, stack.name));
  return live === undefined ? asConfigured : asItRuns(context.root, live);
}

/** The agent that restores a stack's backups, by default into its own volumes. */
export async function restorerOf(
  { tools, config, retry }: ReadyStack,
  volumes: readonly Pick<TargetVolume, "target" | "volume">[] = targetVolumes(config.stack),
): Promise<Restorer> {
  const image = await agentImage(tools.docker, config);
  return new Restorer(tools.docker, {
    stack: config.stack,
    config: config.backup,
    image,
    volumes,
    retry,
  });
}

/** The image with which the stack makes backups, or the newest one that makes them on this host. */
async function agentImage(docker: Docker, { stack, backup }: Config): Promise<string> {
  const [running] = await docker.listContainers({
    all: true,
    filters: { label: [`mlops.stack=${stack}`, "mlops.service=backup"] },
  });
  if (running !== undefined) return running.ImageID;
  const reference = backup.image === "" ? "mlops-backup" : backup.image;
  const images = await docker.listImages({ filters: { reference: [reference] } });
  const [newest] = images.sort((a, b) => b.Created - a.Created);
  if (newest !== undefined) return newest.Id;
  throw new CommandError(
    `The image that restores backups (${reference}) is not on this Docker host; nothing was changed.`,
    `Let it be made, then restore: ./mlops up --stack ${stack}, and this command with --replace.`,
  );
}
