import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, type Socket } from "node:net";
import { join } from "node:path";
import { describe, it } from "node:test";
import { temporaryFolder } from "./testing/context";
import { mlops } from "./testing/program";

void describe("a Docker daemon that does not answer", () => {
  void it("is named with the reason and the fix, and the exit code is not 0", async (test) => {
    const socket = join(await temporaryFolder(test), "docker.sock");
    for (const command of ["status", "logs"]) {
      const { exitCode, stdout, stderr } = await mlops([command], {
        DOCKER_HOST: `unix://${socket}`,
      });
      assert.equal(exitCode, 1);
      assert.equal(stdout, "");
      assert.match(
        stderr,
        /^error: The Docker daemon at unix:\S+ cannot be reached \(nothing listens there\)\./,
      );
      assert.match(stderr, /DOCKER_HOST/);
      assert.doesNotMatch(stderr, /\n\s+at /);
    }
  });

  void it("is not replaced by one that up starts, if the caller has named it", async () => {
    const { exitCode, stderr } = await mlops(["up"], { DOCKER_HOST: "tcp://127.0.0.1:9" });
    assert.equal(exitCode, 1);
    assert.match(stderr, /tcp:\/\/127\.0\.0\.1:9 cannot be reached \(connection refused\)/);
  });

  void it("is given up when it takes the connection and never answers", async (test) => {
    const socket = join(await temporaryFolder(test), "docker.sock");
    const connections: Socket[] = [];
    const server = createServer((connection) => connections.push(connection)).listen(socket);
    await once(server, "listening");
    test.after(() => {
      for (const connection of connections) connection.destroy();
      server.close();
    });
    const { exitCode, stderr } = await mlops(["status"], { DOCKER_HOST: `unix://${socket}` });
    assert.equal(exitCode, 1);
    assert.match(stderr, /no answer within \d+ s/);
  });
});
