import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import type Docker from "dockerode";
import type { BackupConfig, RepositoryConfig } from "../../config";
import { dockerClient } from "../docker";
import { BASE_IMAGE } from "../setup/base-image";
import { Restorer } from "./restorer";
import { keyVolume, repositoryVolume, targetVolumes } from "./volumes";

const STACK = "test-restorer";

const FAR: RepositoryConfig = {
  type: "sftp",
  user: "u",
  host: "h",
  port: 22,
  path: "/b",
  sshKey: "secret-key",
  knownHosts: "",
};

function configWith(repository: RepositoryConfig): BackupConfig {
  return {
    image: "",
    resources: { cpus: 0.5, memory: 300, cpuReservation: 0, memoryReservation: 0 },
    schedule: "",
    drillSchedule: "",
    alertAgeHours: 0,
    maxAgeHours: 0,
    retention: { daily: 1, weekly: 1, monthly: 1 },
    repository,
    key: "",
    verifyPercent: 100,
  };
}

void describe("the container that restores", () => {
  let docker: Docker;
  /** Docker would make one that is not there. */
  let folder: string;
  before(async () => {
    docker = await dockerClient();
    folder = await mkdtemp(join(tmpdir(), "mlops-repository-"));
  });
  const created: Docker.Container[] = [];
  after(async () => {
    for (const container of created) await container.remove({ v: true });
    for (const { volume } of targetVolumes(STACK))
      await docker.getVolume(volume).remove({ force: true });
    for (const volume of [keyVolume(STACK), repositoryVolume(STACK)])
      await docker.getVolume(volume).remove({ force: true });
    await rm(folder, { recursive: true });
  });
  const inspect = async (repository: RepositoryConfig): Promise<Docker.ContainerInspectInfo> => {
    const args = { stack: STACK, config: configWith(repository), image: BASE_IMAGE, retry: "" };
    const restorer = new Restorer(docker, { ...args, volumes: targetVolumes(STACK) });
    const container = await restorer.create(["swap"], {
      name: `mlops-${STACK}-${created.length}`,
      labels: { "mlops.task": "switch" },
      autoRemove: false,
    });
    created.push(container);
    return container.inspect();
  };

  void it("writes the stack's volumes, and is hardened and limited", async () => {
    const { HostConfig, Config } = await inspect({ type: "folder", path: folder });
    assert.deepEqual(HostConfig.Binds?.toSorted(), [
      `${folder}:/backup`,
      `mlops-${STACK}-app-data:/target/app-data`,
      `mlops-${STACK}-app-models:/target/app-models`,
      `mlops-${STACK}-backup-key:/run/backup:ro`,
      `mlops-${STACK}-mlflow-artifacts:/target/mlflow`,
      `mlops-${STACK}-postgres-data:/target/postgres`,
      `mlops-${STACK}-redis-data:/target/redis`,
    ]);
    assert.equal(HostConfig.ReadonlyRootfs, true);
    assert.deepEqual(HostConfig.CapDrop, ["ALL"]);
    assert.deepEqual(HostConfig.SecurityOpt, ["no-new-privileges:true"]);
    assert.equal(HostConfig.Memory, 300 * 2 ** 20);
    assert.equal(HostConfig.MemorySwap, HostConfig.Memory);
    assert.equal(HostConfig.NanoCpus, 0.5e9);
    assert.equal(HostConfig.NetworkMode, "none");
    assert.equal(Config.Labels["mlops.stack"], STACK);
  });

  void it("has a network only where the repository is far", async () => {
    const { HostConfig } = await inspect(FAR);
    assert.equal(HostConfig.NetworkMode, "bridge");
    assert.ok(HostConfig.Binds?.includes(`mlops-${STACK}-backup-repository:/backup`));
  });

  void it("is told no secret", async () => {
    const details = await inspect(FAR);
    assert.doesNotMatch(JSON.stringify(details), /secret-key/);
  });
});
