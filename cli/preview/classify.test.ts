import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { describe, it } from "node:test";
import type { EngineEvent, StepEventMetadata } from "@pulumi/pulumi/automation/index.js";
import { changesOf, type Change } from "./changes";
import { renderChanges } from "./changes-table";
import { classify, type ClassifiedChange } from "./classify";
import { requireAllowedDataChanges } from "./data-changes";
import { describeImpact, worst, type Impact } from "./impact";
import { Terminal } from "../terminal";

/**
 * Steps of previews of a running stack as Pulumi's engine told them, by what had been changed. Of
 * inputs and outputs only what is looked at has been kept.
 */
const RECORDED = JSON.parse(
  readFileSync(resolve(__dirname, "testing", "recorded.json"), "utf8"),
) as Readonly<Record<string, readonly StepEventMetadata[]>>;

function recorded(name: string): readonly ClassifiedChange[] {
  const steps = RECORDED[name] ?? assert.fail(`nothing is recorded of ${name}`);
  const events = steps.map((metadata) => ({ resourcePreEvent: { metadata } }) as EngineEvent);
  return classify(changesOf(events));
}

interface Case {
  readonly what: string;
  readonly name: string;
  /** Number of resources that change. */
  readonly count: number;
  readonly worst: Impact;
  /** Every change that is more than "no downtime". */
  readonly noticed: readonly string[];
}

const CASES: readonly Case[] = [
  { what: "a new release", name: "tag", count: 9, worst: "no downtime", noticed: [] },
  { what: "another replica", name: "replicas", count: 7, worst: "no downtime", noticed: [] },
  {
    what: "a port of the host for the app, which then cannot run twice",
    name: "app-host-port",
    count: 5,
    worst: "seconds of downtime",
    noticed: ["replace app: seconds of downtime (app)"],
  },
  {
    what: "new content of nginx's configuration",
    name: "nginx-config",
    count: 2,
    worst: "reload",
    noticed: ["replace nginx-reload: reload (nginx)"],
  },
  {
    what: "another image of nginx",
    name: "nginx-image",
    count: 10,
    worst: "seconds of downtime",
    noticed: ["replace nginx: seconds of downtime (nginx)"],
  },
  {
    what: "no TLS any more",
    name: "tls-off",
    count: 10,
    worst: "seconds of downtime",
    noticed: [
      "replace mlflow: seconds of downtime (mlflow)",
      "replace nginx: seconds of downtime (nginx)",
      "replace nginx-reload: reload (nginx)",
    ],
  },
  {
    what: "a setting of the cache",
    name: "redis-config",
    count: 2,
    worst: "no downtime",
    noticed: [],
  },
  {
    what: "more memory for the database, set in place",
    name: "postgres-memory",
    count: 1,
    worst: "no downtime",
    noticed: [],
  },
  {
    what: "another volume for the database",
    name: "postgres-volume",
    count: 4,
    worst: "touches data",
    noticed: [
      "delete postgres-data: touches data (postgres)",
      "replace postgres: touches data (postgres)",
    ],
  },
  {
    what: "another image of MLflow",
    name: "mlflow-image",
    count: 5,
    worst: "touches data",
    noticed: [
      "replace mlflow: seconds of downtime (mlflow)",
      "replace mlflow-schema: touches data (mlflow)",
    ],
  },
  {
    what: "log rotation, which replaces every container",
    name: "logs",
    count: 14,
    worst: "touches data",
    noticed: [
      "replace mlflow: seconds of downtime (mlflow)",
      "replace nginx: seconds of downtime (nginx)",
      "replace postgres: touches data (postgres)",
    ],
  },
  {
    what: "new passwords, which no service is restarted for",
    name: "secrets",
    count: 18,
    worst: "no downtime",
    noticed: [],
  },
];

const CONTAINER: Change = {
  urn: "urn:pulumi:shop::mlops::docker:index/container:Container::mlops-shop-nginx",
  name: "mlops-shop-nginx",
  type: "docker:index/container:Container",
  components: ["mlops:platform:Platform"],
  operation: "replace",
  isStopFirst: true,
  differs: ["image"],
  inputs: "",
  labels: { "mlops.service": "nginx" },
  isRetained: false,
  runsOnDeletion: false,
  hasSuccessor: false,
};

const judged = (change: Partial<Change>): ClassifiedChange => {
  const [classified] = classify([{ ...CONTAINER, ...change }]);
  return classified ?? assert.fail();
};

void describe("classify", () => {
  for (const { what, name, count, worst: expected, noticed } of CASES)
    void it(`knows what is noticed of ${what}`, () => {
      const changes = recorded(name);
      const shown = changes
        .filter(({ impact }) => impact !== "no downtime")
        .map((change) => `${change.operation} ${change.name}: ${describeImpact(change)}`)
        .map((text) => text.replace("mlops-shop-", ""))
        .sort();
      assert.deepEqual(shown, [...noticed].sort());
      assert.equal(changes.length, count);
      assert.equal(worst(changes), expected);
    });

  void it("takes what it does not know for the worst, and names it", () => {
    const unknown: readonly [Partial<Change>, RegExp][] = [
      [{ type: "aws:s3/bucket:Bucket" }, /unknown.+aws:s3\/bucket:Bucket/],
      [{ operation: "import-replacement" }, /unknown.+"import-replacement"/],
      [{ labels: { "mlops.service": "kafka" } }, /unknown.+kafka/],
      [{ labels: {} }, /unknown.+container without a service/],
      [{ type: "command:local:Command", name: "x-purge" }, /unknown.+x-purge/],
      [{ type: "command:local:Command", operation: "delete", runsOnDeletion: true }, /unknown/],
    ];
    for (const [change, why] of unknown) {
      const { impact, why: given } = judged(change);
      assert.equal(impact, "touches data");
      assert.match(given, why);
    }
  });

  void it("tells the last container of a service from one of several", () => {
    const last = judged({ operation: "delete" });
    assert.equal(describeImpact(last), "seconds of downtime (nginx)");
    assert.match(last.why, /for good/);
    assert.equal(judged({ operation: "delete", hasSuccessor: true }).impact, "no downtime");
  });

  void it("knows a data volume by its label, whatever its service", () => {
    const type = "docker:index/volume:Volume";
    const labels = { "mlops.service": "prometheus", "mlops.data": "true" };
    for (const operation of ["replace", "delete", "update"])
      assert.equal(
        describeImpact(judged({ type, labels, operation })),
        "touches data (prometheus)",
      );
    assert.equal(judged({ type, labels, operation: "create" }).impact, "no downtime");
    assert.equal(judged({ type }).impact, "no downtime");
  });

  void it("tells a migration by a new image from the same one on another server", () => {
    const schema = {
      type: "command:local:Command",
      components: ["mlops:platform:Platform", "mlops:mlflow:Mlflow", "mlops:docker:Job"],
      labels: {},
    };
    assert.equal(judged({ ...schema, differs: ["create", "triggers"] }).impact, "touches data");
    assert.equal(judged({ ...schema, differs: ["triggers"] }).impact, "no downtime");
  });

  void it("says that a network that goes away cuts off everything", () => {
    const network = judged({ type: "docker:index/network:Network", labels: {} });
    assert.equal(describeImpact(network), "seconds of downtime (all services)");
  });
});

void describe("renderChanges", () => {
  void it("has a row for each change, the worst last, and the worst class below", () => {
    const terminal = new Terminal(process.stdout, process.stderr, { NO_COLOR: "1" });
    const lines = renderChanges(terminal, recorded("logs")).split("\n");
    assert.equal(lines.length, 1 + 14 + 2);
    assert.match(
      lines[14] ?? "",
      /^replace Container mlops-shop-postgres +touches data \(postgres\)/,
    );
    assert.equal(lines.at(-1), "Worst of 14 changes: touches data (postgres).");
  });
});

void describe("requireAllowedDataChanges", () => {
  const config = (protect: boolean) => ({ stack: "prod", data: { protect } });

  void it("names each change that touches protected data, and the flag", () => {
    assert.throws(() => {
      requireAllowedDataChanges(config(true), recorded("postgres-volume"), false);
    }, /"prod" protects.+replace mlops-shop-postgres: .+delete mlops-shop-postgres-data: .+--allow-data/s);
  });

  void it("lets pass what touches none, what was asked for, and stacks without protection", () => {
    requireAllowedDataChanges(config(true), recorded("tls-off"), false);
    requireAllowedDataChanges(config(true), recorded("postgres-volume"), true);
    requireAllowedDataChanges(config(false), recorded("postgres-volume"), false);
  });
});
