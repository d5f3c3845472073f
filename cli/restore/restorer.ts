import type Docker from "dockerode";
import type { Container } from "dockerode";
import type { KeptRestore } from "../../backup/restore/commands";
import type { RestoreResult } from "../../backup/restore/restore";
import { TARGET_ROOT } from "../../backup/restore/targets";
import { agentSettings, PLACES, SETTINGS_VARIABLE } from "../../backup/settings";
import type { BackupConfig } from "../../config";
import { CommandError } from "../errors";
import { HARDENED } from "../hardening";
import { makeRoom, runOneOff } from "../one-off";
import type { Step } from "../step";
import { keyVolume, repositoryVolume, type TargetVolume } from "./volumes";

/** Whose backups are restored, and into which volumes. */
export interface RestorerArgs {
  /** Stack that made the backups. */
  readonly stack: string;
  /** Configuration of its backups. */
  readonly config: BackupConfig;
  /** Image of the agent. */
  readonly image: string;
  readonly volumes: readonly Pick<TargetVolume, "target" | "volume">[];
  /** Command of this program that does it again. */
  readonly retry: string;
}

/** What a restorer's container is, beside its command. */
export interface RestorerContainer {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  /** Whether it is gone when it has ended. */
  readonly autoRemove: boolean;
}

/** Of root, who may do no more than this: write what belongs to many users, and run as Postgres' own. */
const CAPABILITIES = ["CHOWN", "DAC_OVERRIDE", "FOWNER", "SETUID", "SETGID"];

/**
 * The agent with a stack's volumes to write, in a container of its own that ends with its command:
 * the service that makes backups has none of these rights. It needs nothing of the stack to run.
 */
export class Restorer {
  constructor(
    private readonly docker: Docker,
    private readonly args: RestorerArgs,
  ) {}

  /**
   * Restores beside what is live, and proves it.
   *
   * @param wish options of the agent, such as `["--set", "latest"]`.
   */
  async restore(id: string, wish: readonly string[], step: Step): Promise<RestoreResult> {
    return (await this.run(["restore", "--id", id, ...wish], step)) as RestoreResult;
  }

  /** What the volumes keep of restores beside what is live, oldest first. */
  async kept(step: Step): Promise<readonly KeptRestore[]> {
    return ((await this.run(["kept"], step)) as { readonly kept: readonly KeptRestore[] }).kept;
  }

  /** Deletes what a restore has left beside what is live. */
  async forget(id: string, step: Step): Promise<void> {
    await this.run(["forget", "--id", id], step);
  }

  /**
   * Runs a command of the agent.
   *
   * @returns its result.
   * @throws CommandError with the agent's own words, InterruptedError.
   */
  async run(command: readonly string[], step: Step): Promise<unknown> {
    const { stack, retry } = this.args;
    const [task = ""] = command;
    const name = `mlops-${stack}-${task}`;
    const request = { stack, noun: task, retry };
    await makeRoom(this.docker, name, request);
    const labels = { "mlops.task": task };
    const container = await this.create(command, { name, labels, autoRemove: true });
    const { exitCode, result, problem } = await runOneOff(this.docker, container, request, step);
    if (exitCode === 0 && result !== undefined) return result;
    throw new CommandError(
      problem ?? `The agent's ${task} ended with exit code ${exitCode}.`,
      problem === undefined ? `What is live was not touched. Try again with: ${retry}` : "",
    );
  }

  /** Creates a container for a command of the agent; it is not started. */
  create(command: readonly string[], like: RestorerContainer): Promise<Container> {
    const { stack, config, image, volumes } = this.args;
    const { repository, resources } = config;
    const isFar = repository.type === "sftp" || repository.type === "s3";
    const bytes = resources.memory * 2 ** 20;
    return this.docker.createContainer({
      name: like.name,
      Image: image,
      Cmd: ["agent", ...command],
      User: "0:0",
      Env: [`${SETTINGS_VARIABLE}=${JSON.stringify(agentSettings(stack, config))}`],
      Labels: { "mlops.stack": stack, "mlops.service": "backup", ...like.labels },
      Healthcheck: { Test: ["NONE"] },
      HostConfig: {
        ...HARDENED,
        CapAdd: CAPABILITIES,
        AutoRemove: like.autoRemove,
        NetworkMode: isFar ? "bridge" : "none",
        Binds: [
          `${repository.type === "folder" ? repository.path : repositoryVolume(stack)}:${PLACES.backup}`,
          `${keyVolume(stack)}:${PLACES.keys}:ro`,
          ...volumes.map(({ target, volume }) => `${volume}:${TARGET_ROOT}/${target}`),
        ],
        Tmpfs: { "/tmp": "rw,nosuid,nodev,size=256m,mode=1777" },
        Memory: bytes,
        MemorySwap: bytes,
        NanoCpus: Math.round(resources.cpus * 1e9),
      },
    });
  }
}
