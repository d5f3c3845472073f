import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, type AddressInfo, type Server } from "node:net";
import { resolve } from "node:path";
import { describe, it, type TestContext } from "node:test";
import type { Config } from "../config";
import { createContext } from "./context";
import { dockerClient } from "./docker";
import { CommandError, PortTakenError } from "./errors";
import { requirePorts } from "./ports";
import { loadConfig } from "./stack-config";
import { startIdleContainer } from "./testing/tools";

/** The dev stack's configuration with only nginx's port published, on loopback. */
function configWith(httpPort: number, bindAddress = "127.0.0.1"): Config {
  const context = createContext(resolve(__dirname, ".."), {});
  const config = loadConfig(context, "dev");
  return {
    ...config,
    stack: "port-test",
    network: { bindAddress },
    nginx: { ...config.nginx, httpPort, tls: "off" },
    app: { ...config.app, hostPort: 0 },
    mlflow: { ...config.mlflow, hostPort: 0 },
    prometheus: { ...config.prometheus, hostPort: 0 },
  };
}

async function listen(test: TestContext, host: string): Promise<number> {
  const server: Server = createServer().listen({ host, port: 0 });
  await once(server, "listening");
  test.after(() => server.close());
  return (server.address() as AddressInfo).port;
}

async function freePort(): Promise<number> {
  const server = createServer().listen({ host: "127.0.0.1", port: 0 });
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, "close");
  return port;
}

void describe("requirePorts", () => {
  void it("accepts free ports", async () => {
    await requirePorts(await dockerClient(), configWith(await freePort()));
  });

  for (const host of ["127.0.0.1", "0.0.0.0"])
    void it(`names the process that listens on ${host}`, async (test) => {
      const port = await listen(test, host);
      await assert.rejects(requirePorts(await dockerClient(), configWith(port)), (error) => {
        assert.ok(error instanceof PortTakenError);
        assert.ok(error.message.includes(`Port ${port} on 127.0.0.1 is taken by`));
        assert.ok(error.message.includes(`(process ${process.pid})`), error.message);
        assert.ok(error.message.includes("pulumi config set httpPort PORT --stack port-test"));
        return true;
      });
    });

  void it("names the container that publishes the port, unless it is the stack's own", async (test) => {
    const docker = await dockerClient();
    const port = await freePort();
    const start = async (stack: string): Promise<void> => {
      const bindings = { "80/tcp": [{ HostIp: "127.0.0.1", HostPort: String(port) }] };
      const container = await startIdleContainer(
        docker,
        { "mlops.stack": stack },
        { PortBindings: bindings },
      );
      try {
        await requirePorts(docker, configWith(port));
      } finally {
        await container.remove({ force: true });
      }
    };
    test.diagnostic(`port ${port}`);
    await start("port-test");
    await assert.rejects(start("another"), (error) => {
      assert.ok(error instanceof PortTakenError);
      assert.match(error.message, /taken by the container \S+,/);
      return true;
    });
  });

  void it("names an address that this host does not have", async () => {
    // 192.0.2.0/24 is set aside for documentation (RFC 5737).
    const config = configWith(await freePort(), "192.0.2.1");
    await assert.rejects(requirePorts(await dockerClient(), config), (error) => {
      assert.ok(error instanceof CommandError);
      assert.match(error.message, /has the address 192\.0\.2\.1/);
      return true;
    });
  });
});
