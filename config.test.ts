import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { ConfigError, readConfig, type Config, type ConfigProblem } from "./config";
import { declaredKeys, knownStacks, stackSource } from "./config/project";

const PROJECT = __dirname;

function source(stack: string, values: Record<string, string> = {}, environment = {}) {
  const base = stackSource(PROJECT, stack, environment);
  return { ...base, values: { ...base.values, ...values } };
}

function problems(
  stack: string,
  values: Record<string, string>,
  environment = {},
): ConfigProblem[] {
  try {
    readConfig(source(stack, values, environment));
  } catch (error) {
    assert.ok(error instanceof ConfigError, String(error));
    return [...error.problems];
  }
  return assert.fail("the configuration was accepted");
}

/** Paths at which two configurations differ, such as `appReplicas`. */
function differences(a: unknown, b: unknown, path = ""): string[] {
  if (typeof a !== "object" || typeof b !== "object" || a === null || b === null)
    return Object.is(a, b) ? [] : [path];
  const left = a as Record<string, unknown>;
  const right = b as Record<string, unknown>;
  return [...new Set([...Object.keys(left), ...Object.keys(right)])].flatMap((key) =>
    differences(left[key], right[key], path === "" ? key : `${path}.${key}`),
  );
}

void describe("configuration", () => {
  void it("reads each stack of the project", () => {
    assert.deepEqual(knownStacks(PROJECT), ["dev", "prod", "staging"]);
    for (const stack of knownStacks(PROJECT))
      assert.equal(readConfig(source(stack, {}, { TAG: "v1.0.0" })).stack, stack);
  });

  void it("lets the stacks differ in the listed values only", () => {
    const read = (stack: string): Config => readConfig(source(stack, {}, { TAG: "v1.0.0" }));
    assert.deepEqual(differences(read("dev"), read("staging")).sort(), [
      "app.hostPort",
      "log.level",
      "nginx.httpPort",
      "nginx.httpsPort",
      "nginx.tls",
      "stack",
    ]);
    assert.deepEqual(differences(read("staging"), read("prod")).sort(), [
      "app.replicas",
      "app.resources.cpuReservation",
      "app.resources.memory",
      "app.resources.memoryReservation",
      "backup.drillSchedule",
      "backup.schedule",
      "data.protect",
      "log.level",
      "log.maxFiles",
      "log.maxSize",
      "network.bindAddress",
      "nginx.httpPort",
      "nginx.httpsPort",
      "postgres.resources.memory",
      "postgres.resources.memoryReservation",
      "prometheus.retention",
      "redis.maxmemory",
      "redis.resources.memory",
      "stack",
    ]);
  });

  void it("gives the app in prod 2 CPUs and 4 GiB, and reserves half of each", () => {
    const { resources } = readConfig(source("prod", {}, { TAG: "v1.0.0" })).app;
    assert.deepEqual(resources, {
      cpus: 2,
      memory: 4096,
      cpuReservation: 1,
      memoryReservation: 2048,
    });
  });

  void it("declares a description and a default for every key", () => {
    for (const { key, description } of declaredKeys(PROJECT))
      assert.match(description, /\.$/, `${key} needs a description`);
  });

  void it("puts the environment before the stack's values", () => {
    const config = readConfig(
      source(
        "dev",
        { "mlops:tag": "v1", "mlops:cacheTtl": "5" },
        { TAG: "v2", REGISTRY: "registry.example.com/team", MODE: "vsc", CACHE_TTL: "60" },
      ),
    );
    assert.equal(config.release.tag, "v2");
    assert.equal(config.release.registry, "registry.example.com/team");
    assert.equal(config.release.keep, 5);
    assert.equal(config.app.mode, "vsc");
    assert.equal(config.app.cache.ttl, 60);
  });

  void it("reports everything at once, each with its key and the command that fixes it", () => {
    const found = problems("prod", {
      "mlops:appReplicas": "two",
      "mlops:appReplica": "2",
      "mlops:logLevel": "loud",
      "mlops:appMemory": "4 gigs",
    });
    assert.deepEqual(found, [
      {
        key: "TAG",
        problem: "is missing; this stack runs named releases only",
        fix: "TAG=v1.0.0 ./mlops up --stack prod",
      },
      {
        key: "logLevel",
        problem: '"loud" is not one of info, debug, warning, error',
        fix: "pulumi config set logLevel info --stack prod",
      },
      {
        key: "appMemory",
        problem: '"4 gigs" is not an amount such as 512MiB or 2GiB',
        fix: "pulumi config set appMemory 512MiB --stack prod",
      },
      {
        key: "appReplicas",
        problem: '"two" is not a whole number',
        fix: "pulumi config set appReplicas 1 --stack prod",
      },
      {
        key: "appReplica",
        problem: "is not a key of this project; did you mean appReplicas?",
        fix: "pulumi config rm appReplica --stack prod",
      },
    ]);
  });

  const refused: [string, Record<string, string>, Record<string, string>, string][] = [
    ["latest where releases are required", {}, { TAG: "latest" }, "TAG"],
    ["a tag that is none", {}, { TAG: "v1 0" }, "TAG"],
    ["a registry with spaces", {}, { TAG: "v1", REGISTRY: "my registry" }, "REGISTRY"],
    ["an unknown mode", {}, { TAG: "v1", MODE: "fast" }, "mode"],
    ["a port out of range", { "mlops:httpPort": "70000" }, { TAG: "v1" }, "httpPort"],
    ["a port used twice", { "mlops:mlflowHostPort": "80" }, { TAG: "v1" }, "mlflowHostPort"],
    [
      "a published app with replicas",
      { "mlops:appHostPort": "8000" },
      { TAG: "v1" },
      "appHostPort",
    ],
    [
      "a reservation above the limit",
      { "mlops:appMemoryReservation": "8GiB" },
      { TAG: "v1" },
      "appMemoryReservation",
    ],
    [
      "a cache above its container",
      { "mlops:redisMaxmemory": "1GiB" },
      { TAG: "v1" },
      "redisMaxmemory",
    ],
    [
      "a rollback that would have nothing to go back to",
      { "mlops:keepReleases": "1" },
      { TAG: "v1" },
      "keepReleases",
    ],
    ["a negative age of backups", { "mlops:backupMaxAge": "-1" }, { TAG: "v1" }, "backupMaxAge"],
    [
      "an alert between two backups that are on time",
      { "mlops:backupSchedule": "0 3 * * 0" },
      { TAG: "v1" },
      "backupAlertAge",
    ],
    [
      "an alert on what Prometheus has forgotten",
      { "mlops:prometheusRetention": "1d" },
      { TAG: "v1" },
      "prometheusRetention",
    ],
    ["a broken schedule", { "mlops:backupSchedule": "daily" }, { TAG: "v1" }, "backupSchedule"],
    [
      "a broken schedule of drills",
      { "mlops:backupDrillSchedule": "0 25 * * *" },
      { TAG: "v1" },
      "backupDrillSchedule",
    ],
  ];
  for (const [what, values, environment, key] of refused)
    void it(`refuses ${what}`, () => {
      assert.deepEqual(
        problems("prod", values, environment).map((problem) => problem.key),
        [key],
      );
    });
});
