import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { passwordsOf, restartedServices, roleOf, type Rotatable } from "./rotation";
import type { State, StateResource } from "./state";

const password = (name: string, more: Partial<StateResource> = {}): StateResource => ({
  urn: `urn:pulumi:shop::mlops::mlops:platform:Platform$random:index/randomPassword:RandomPassword::mlops-shop-${name}`,
  type: "random:index/randomPassword:RandomPassword",
  id: "none",
  ...more,
});

const container = (service: string, id: string): StateResource => ({
  urn: `urn:pulumi:shop::mlops::docker:index/container:Container::mlops-shop-${service}`,
  type: "docker:index/container:Container",
  id,
  inputs: { labels: [{ label: "mlops.service", value: service }] },
});

const state = (...resources: readonly StateResource[]): State => ({
  resources,
  isInterrupted: false,
});

void describe("passwordsOf", () => {
  const deployed = state(
    password("postgres-superuser-password"),
    password("postgres-mlops-password"),
    // A run was killed that had not made the new one yet.
    password("postgres-mlflow-password", { delete: true }),
    password("postgres-metrics-password"),
    password("redis-password", { delete: true }),
    password("redis-password"),
    password("app-secret-key"),
    password("backup-store-generated-key"),
    { ...password("redis-password"), type: "command:local:Command" },
  );
  const postgres = ["metrics", "mlflow", "mlops", "superuser"].map((role) => `postgres-${role}`);
  const cases: readonly (readonly [Rotatable, readonly string[]])[] = [
    ["postgres", postgres],
    ["redis", ["redis"]],
    ["mlflow", ["postgres-mlflow"]],
    ["all", [...postgres, "redis"]],
  ];
  for (const [service, roles] of cases)
    void it(`of ${service} are ${roles.join(", ")}, and no key`, () => {
      assert.deepEqual(passwordsOf(deployed, service).map(roleOf).sort(), roles);
    });
});

void describe("restartedServices", () => {
  void it("are those with another container, each once", () => {
    const before = state(container("redis", "a"), container("app", "b"));
    const after = state(
      container("redis", "a"),
      container("app", "c"),
      container("app", "d"),
      container("exporter", "e"),
    );
    assert.deepEqual(restartedServices(before, after), ["app", "exporter"]);
    assert.deepEqual(restartedServices(before, before), []);
  });
});
