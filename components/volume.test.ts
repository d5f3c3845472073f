import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { recordStack, stackConfig } from "./testing/stack";
import type { Recorded } from "./testing/record";

/** Volumes that hold data, by their names on the host. They never change: the data is in them. */
const NAMES = [
  "app-cache",
  "app-data",
  "app-logs",
  "app-models",
  "mlflow-artifacts",
  "postgres-data",
  "prometheus-data",
  "redis-data",
];

const isData = ({ type, inputs }: Recorded): boolean =>
  type === "docker:index/volume:Volume" &&
  (inputs.labels as readonly { label: string; value: string }[]).some(
    ({ label, value }) => label === "mlops.data" && value === "true",
  );

for (const stackName of ["dev", "staging", "prod"])
  void describe(`data volumes of ${stackName}`, async () => {
    const stack = await recordStack(stackConfig(stackName));

    void it("have the names that they have always had", () => {
      const names = stack.all.filter(isData).map(({ inputs }) => inputs.name);
      for (const name of NAMES) assert.ok(names.includes(`mlops-${stackName}-${name}`), name);
    });
  });
