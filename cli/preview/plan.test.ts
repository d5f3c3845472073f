import assert from "node:assert/strict";
import { readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { temporaryFolder } from "../testing/context";
import type { ClassifiedChange } from "./classify";
import { loadPlan, plannedEnvironment, savePlan, type Plan } from "./plan";
import { changeDifferences } from "./plan-check";

const change = (name: string, more: Partial<ClassifiedChange> = {}): ClassifiedChange => ({
  urn: `urn:pulumi:shop::mlops::docker:index/container:Container::${name}`,
  name,
  type: "docker:index/container:Container",
  operation: "update",
  differs: ["memory"],
  fingerprint: "a",
  impact: "no downtime",
  why: "",
  ...more,
});

const PLAN: Plan = {
  stack: "shop",
  savedAt: "2026-01-02T03:04:05.000Z",
  savedBy: "ada@host",
  environment: plannedEnvironment({ TAG: "v1.0.0", HOME: "/home/ada" }),
  image: { reference: "mlops-app:v1.0.0", id: "sha256:1" },
  config: { "mlops:tls": "b" },
  state: "c",
  program: "d",
  changes: [change("redis")],
};

void describe("a plan's file", () => {
  void it("comes back as it was saved, is for its owner only, and leaves nothing beside it", async (test) => {
    const folder = await temporaryFolder(test);
    const file = join(folder, "v1.plan");
    await savePlan(file, PLAN);
    assert.deepEqual(await loadPlan(file), PLAN);
    assert.equal(statSync(file).mode & 0o777, 0o600);
    assert.deepEqual(readdirSync(folder), ["v1.plan"]);
  });

  void it("keeps of the environment what a deployment takes from it, and nothing else", () => {
    assert.deepEqual(PLAN.environment, {
      TAG: "v1.0.0",
      REGISTRY: "",
      MODE: "",
      CANARY: "",
      CACHE_TTL: "",
      CACHE_MAX_SIZE: "",
    });
  });

  const damages: readonly (readonly [string, (text: string) => string, RegExp])[] = [
    ["cut off", (text) => text.slice(0, -20), /is damaged/],
    ["empty", () => "", /is damaged/],
    ["something else", () => "[1]", /not made by this version/],
    ["changed by hand", (text) => text.replace("v1.0.0", "v2.0.0"), /changed after it was saved/],
    ["of another version", (text) => text.replace('"format": 1', '"format": 9'), /this version/],
  ];
  for (const [what, damage, reason] of damages)
    void it(`is refused when it is ${what}`, async (test) => {
      const file = join(await temporaryFolder(test), "v1.plan");
      await savePlan(file, PLAN);
      writeFileSync(file, damage(readFileSync(file, "utf8")));
      await assert.rejects(loadPlan(file), (error: Error) => {
        assert.match(error.message, reason);
        assert.match(error.message, /--save-plan/);
        return true;
      });
    });

  void it("is refused when it is not there", async (test) => {
    const file = join(await temporaryFolder(test), "v1.plan");
    await assert.rejects(loadPlan(file), /there is no such file/);
  });
});

void describe("changeDifferences", () => {
  const [redis, nginx] = [change("redis"), change("nginx")];
  const cases: readonly (readonly [string, ClassifiedChange[], string[]])[] = [
    ["nothing, in whatever order", [nginx, redis], []],
    ["one less", [redis], ["not any more: update nginx"]],
    ["one more", [redis, nginx, change("app")], ["not in the plan: update app"]],
    [
      "another operation",
      [redis, change("nginx", { operation: "replace" })],
      ["not any more: update nginx", "not in the plan: replace nginx"],
    ],
    [
      "other values",
      [redis, change("nginx", { fingerprint: "b" })],
      ["otherwise than planned: update nginx"],
    ],
  ];
  for (const [what, present, expected] of cases)
    void it(`tells ${what}`, () => {
      assert.deepEqual(changeDifferences([redis, nginx], present), expected);
    });
});
