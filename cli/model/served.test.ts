import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { describe, it, type TestContext } from "node:test";
import { PublicApi } from "../public-api";
import { runStep } from "../step";
import { testBed } from "../testing/context";
import { untilServed } from "./served";

/** An API whose answers come from apps with these versions, one after the other. */
async function api(test: TestContext, versions: readonly (string | null)[]): Promise<PublicApi> {
  let asked = 0;
  const server = createServer((_, response) => {
    const version = versions[Math.min(asked, versions.length - 1)];
    asked += 1;
    response.writeHead(version === null ? 503 : 200).end(JSON.stringify({ model: { version } }));
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  test.after(() => {
    assert.equal(asked, versions.length, "questions");
    server.close();
  });
  const { port } = server.address() as AddressInfo;
  return new PublicApi({ url: `http://127.0.0.1:${port}`, stack: "test" });
}

void describe("waiting for a model version", () => {
  const wait = async (test: TestContext, versions: readonly (string | null)[]): Promise<void> => {
    const { context } = await testBed(test);
    const served = await api(test, versions);
    await runStep(context, { name: "wait", title: "Waiting", retry: "" }, (step) =>
      untilServed(served, "2", step),
    );
  };

  void it("takes several answers in a row", (test) => wait(test, ["2", "2", "2", "2", "2"]));

  void it("begins again when another version or none answers in between", (test) =>
    wait(test, ["1", "2", "2", "1", null, "2", "2", "2", "2", "2"]));
});
