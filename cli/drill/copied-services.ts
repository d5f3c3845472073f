import type Docker from "dockerode";
import type { ContainerInspectInfo } from "dockerode";
import { TARGETS } from "../../backup/restore/targets";
import { NotDeployedError } from "../errors";
import { untilHealthy } from "../healthy";
import { cloneContainer, type CloneRequest } from "./clone-container";
import type { TargetVolume } from "../restore/volumes";
import { serviceContainers } from "../services";

/** Label of everything that a drill makes: the stack whose backups it tries. */
const LABEL = "mlops.drill";

/** Postgres replays nothing here, but may have to wait for a busy disk; MLflow needs 7 s alone. */
const HEALTHY_WITHIN_SECONDS = 180;

/**
 * Copies of a stack's services on volumes and a network that nothing else has. The network has no
 * way out, and whoever is on it may do everything to the copy's databases: the passwords in a backup
 * may be older than those that the services know.
 */
export class CopiedServices {
  private constructor(
    private readonly docker: Docker,
    private readonly stack: string,
    /** The network of the copies. */
    readonly network: string,
    /** Empty volumes, for what is restored. */
    readonly volumes: readonly Pick<TargetVolume, "target" | "volume">[],
  ) {}

  /** Makes network and volumes; what a killed drill left is removed first. */
  static async create(docker: Docker, stack: string): Promise<CopiedServices> {
    await removeCopies(docker, stack);
    const name = `mlops-${stack}-drill`;
    const Labels = { [LABEL]: stack };
    await docker.createNetwork({ Name: name, Internal: true, Labels, CheckDuplicate: true });
    const volumes = TARGETS.map(({ name: target }) => ({ target, volume: `${name}-${target}` }));
    for (const { volume } of volumes) await docker.createVolume({ Name: volume, Labels });
    return new CopiedServices(docker, stack, name, volumes);
  }

  /** Starts Postgres and then MLflow on what was restored; settles when both answer. */
  async start(): Promise<void> {
    const server = "exec docker-entrypoint.sh postgres";
    const settings = ["hba_file=/tmp/pg_hba.conf", "unix_socket_directories=/tmp"];
    const rules = String.raw`printf 'local all all trust\nhost all all all trust\n' >/tmp/pg_hba.conf`;
    await this.copy("postgres", "postgres", "/var/lib/postgresql/data", [
      "sh",
      "-c",
      `${rules}; ${server} -c archive_mode=off ${settings.map((setting) => `-c ${setting}`).join(" ")}`,
    ]);
    await this.copy("mlflow", "mlflow", "/mlflow/artifacts");
  }

  /** Removes all of it. */
  async remove(): Promise<void> {
    await removeCopies(this.docker, this.stack);
  }

  private async copy(
    service: string,
    target: string,
    path: string,
    command?: CloneRequest["command"],
  ): Promise<void> {
    const volume = this.volumes.find((item) => item.target === target)?.volume ?? "";
    const [own] = await serviceContainers(this.docker, this.stack, service);
    if (own === undefined) throw new NotDeployedError(this.stack);
    const like = await this.docker.getContainer(own.Id).inspect();
    const container = await cloneContainer(this.docker, like, {
      name: `${this.network}-${service}`,
      labels: { [LABEL]: this.stack },
      network: this.network,
      alias: service,
      volumes: { [path]: volume, ...secretsOf(like) },
      ...(command === undefined ? {} : { command }),
    });
    await container.start();
    await untilHealthy(this.docker, [container.id], {
      seconds: HEALTHY_WITHIN_SECONDS,
      fix: "The drill failed, and was removed; try an earlier set, and look at this one.",
    });
  }
}

/** Where the service reads its secrets, which it does not start without. */
function secretsOf({ Mounts }: ContainerInspectInfo): Record<string, string> {
  const path = "/run/secrets";
  const name = Mounts.find(({ Destination }) => Destination === path)?.Name;
  return name === undefined ? {} : { [`${path}:ro`]: name };
}

async function removeCopies(docker: Docker, stack: string): Promise<void> {
  const filters = { label: [`${LABEL}=${stack}`] };
  const containers = await docker.listContainers({ all: true, filters });
  for (const { Id } of containers) await docker.getContainer(Id).remove({ force: true, v: true });
  const { Volumes } = await docker.listVolumes({ filters });
  for (const { Name } of Volumes) await docker.getVolume(Name).remove();
  for (const { Id } of await docker.listNetworks({ filters })) await docker.getNetwork(Id).remove();
}
