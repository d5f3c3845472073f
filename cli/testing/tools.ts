import { join } from "node:path";
import type Docker from "dockerode";
import type { Context } from "../context";
import { dockerClient } from "../docker";
import type { Tools } from "../setup";
import { BASE_IMAGE } from "../setup/base-image";

/** Tools with the machine's own Docker engine, and a state folder of the test's own. */
export async function testTools(context: Context): Promise<Tools> {
  return {
    docker: await dockerClient(),
    env: {},
    stateFolder: join(context.root, "state"),
    passphraseSource: "nowhere",
    pulumi: { program: "pulumi", version: undefined },
  };
}

/** Starts a container that does nothing until it is removed, under labels of a stack. */
export async function startIdleContainer(
  docker: Docker,
  labels: Readonly<Record<string, string>>,
  hostConfig: Docker.HostConfig = {},
): Promise<Docker.Container> {
  const container = await docker.createContainer({
    Image: BASE_IMAGE,
    Cmd: ["sleep", "infinity"],
    Labels: { ...labels },
    ExposedPorts: { "80/tcp": {} },
    HostConfig: { Init: true, ...hostConfig },
  });
  await container.start();
  return container;
}

/** Runs a script in a container of a stack's service to its end, for the sake of its log. */
export async function startLogger(
  docker: Docker,
  stack: string,
  service: string,
  script: string,
): Promise<Docker.Container> {
  const container = await docker.createContainer({
    Image: BASE_IMAGE,
    Cmd: ["sh", "-c", script],
    Labels: { "mlops.stack": stack, "mlops.service": service },
  });
  await container.start();
  await container.wait();
  return container;
}
