import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { recordStack, stackConfig } from "./testing/stack";

void describe("Networks", async () => {
  const stack = await recordStack(stackConfig("dev"));

  void it("are three, and only the public one has a way out", () => {
    const networks = stack.ofType("docker:index/network:Network");
    assert.deepEqual(
      networks.map(({ inputs }) => [inputs.name, inputs.driver, inputs.internal]),
      [
        ["mlops-dev-application", "bridge", true],
        ["mlops-dev-data", "bridge", true],
        ["mlops-dev-public", "bridge", false],
      ],
    );
  });
});
