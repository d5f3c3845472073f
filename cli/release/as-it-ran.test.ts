import assert from "node:assert/strict";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { contextHash } from "../../components/image-build";
import { temporaryFolder } from "../testing/context";
import { asItRan, asItRuns } from "./as-it-ran";

const CONFIG = { cacheTtl: "60", appReplicas: "2" };

void describe("asItRan", () => {
  void it("names the release and its configuration, before any variable of the caller", () => {
    assert.deepEqual(asItRan({ tag: "v1.0.0", config: CONFIG }), {
      env: { TAG: "v1.0.0", CACHE_TTL: "60", CACHE_MAX_SIZE: "" },
      config: CONFIG,
    });
  });
});

void describe("asItRuns", () => {
  void it("names the release, unless it is what is in app/ and never had a name", async (test) => {
    const root = await temporaryFolder(test);
    mkdirSync(join(root, "app"));
    writeFileSync(join(root, "app", "Dockerfile"), "FROM scratch");
    const unnamed = contextHash(join(root, "app"));
    const tagOf = (tag: string): string | undefined => asItRuns(root, { tag }).env["TAG"];
    assert.equal(tagOf("v1.0.0"), "v1.0.0");
    assert.equal(tagOf(unnamed), "");
    writeFileSync(join(root, "app", "main.py"), "pass");
    assert.equal(tagOf(unnamed), unnamed, "what runs, and not what is there now");
  });
});
