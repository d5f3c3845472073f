import { delimiter, dirname, isAbsolute, join } from "node:path";
import type Docker from "dockerode";
import type { Context } from "../context";
import { ensureBackend } from "./backend";
import { ensureBaseImage } from "./base-image";
import { ensureDockerClient } from "./docker-client";
import { ensureEngine } from "./engine";
import { ensureToolchain, type PulumiProgram } from "./toolchain";

/** What a command has to work with once set-up is done. */
export interface Tools {
  readonly docker: Docker;
  /** Variables that differ from the caller's environment. */
  readonly env: Readonly<Record<string, string>>;
  /** Folder of Pulumi's state, where it is in files on this machine. */
  readonly stateFolder: string | undefined;
  /** Where the passphrase comes from, in words for a message. */
  readonly passphraseSource: string;
  readonly pulumi: PulumiProgram;
}

/** What is asked of {@link setUp}. */
export interface SetUpRequest {
  /** Command that the user started, to be repeated when a step fails. */
  readonly retry: string;
  /** Whether images may have to be built. */
  readonly images: boolean;
  /** Called when this run starts the Docker engine, which until then did not run. @default nothing */
  readonly onEngineStarted?: () => void;
}

/**
 * Makes sure of everything the commands need, and does nothing where it is there. Every step can
 * be killed at any moment and done again.
 */
export async function setUp(context: Context, request: SetUpRequest): Promise<Tools> {
  const backend = await ensureBackend(context);
  const { docker, started } = await ensureEngine(context, request.retry);
  if (started) request.onEngineStarted?.();
  const clientFolders = await ensureDockerClient(context, request.retry);
  const toolchain = await ensureToolchain(context, request.retry);
  const toolchainFolders = isAbsolute(toolchain.pulumi.program)
    ? [dirname(toolchain.pulumi.program)]
    : [];
  const path = [...clientFolders, ...toolchainFolders, context.env["PATH"] ?? ""];
  const env = {
    PATH: path.join(delimiter),
    // Docker clients before 23 ask for it; later ones ignore it.
    DOCKER_BUILDKIT: "1",
    PULUMI_SKIP_UPDATE_CHECK: "true",
    // The program together with what runs it in one file: Pulumi starts in a third of the time.
    PULUMI_LANGUAGE_NODEJS_RUN_PATH: join(context.root, "bin", "run.cjs"),
    ...toolchain.env,
    ...backend.env,
  };
  if (request.images) await ensureBaseImage(context, docker, env, request.retry);
  return {
    docker,
    env,
    stateFolder: backend.stateFolder,
    passphraseSource: backend.passphraseSource,
    pulumi: toolchain.pulumi,
  };
}
