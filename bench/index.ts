import * as pulumi from "@pulumi/pulumi";
import { Containers } from "../components/container";
import type { StackContext } from "../components/context";
import { FilesVolume } from "../components/files";
import { Networks } from "../components/networks";
import { DataVolume } from "../components/volume";

/**
 * As many services as asked for, each of the parts that a service of the stack has: files, a data
 * volume and a container. They only sleep: what is measured is Pulumi.
 */
const config = new pulumi.Config();
const image = config.require("image");
const stack = pulumi.getStack();
const prefix = `mlops-bench-${stack}`;
const user = "65534:65534";

const networks = new Networks(prefix, { stack });
const context: StackContext = {
  stack: prefix,
  prefix,
  networks: networks.names,
  bindAddress: "127.0.0.1",
  log: { maxSize: "1m", maxFiles: 1 },
  protectData: false,
};
for (let index = 1; index <= config.requireNumber("services"); index += 1) {
  const name = `${prefix}-${index}`;
  const service = `service-${index}`;
  const files = new FilesVolume(`${name}-config`, {
    context,
    service,
    image,
    user,
    files: { settings: `${index}\n` },
  });
  const data = new DataVolume(`${name}-data`, { context, service, purpose: "data" });
  new Containers(name, {
    context,
    spec: {
      name: service,
      image,
      user,
      command: ["sleep", "infinity"],
      files: [{ volume: files, path: "/etc/service" }],
      volumes: [{ volume: data.volumeName, path: "/data" }],
      tmpfs: [{ path: "/tmp", size: 1 }],
      health: { command: ["true"], interval: 1 },
      resources: { cpus: 0.1, memory: 16, cpuReservation: 0, memoryReservation: 0 },
      networks: ["application"],
      update: "stop-first",
      stopGraceSeconds: 1,
    },
  });
}
