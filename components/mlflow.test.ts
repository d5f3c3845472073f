import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { recordStack, stackConfig, writtenFiles } from "./testing/stack";

void describe("Mlflow", async () => {
  const stack = await recordStack(stackConfig("dev"));
  const command = stack.container("mlflow").inputs.command as string[];

  void it("records in Postgres without a password in any argument", () => {
    assert.ok(command.includes("--backend-store-uri=postgresql://mlflow@postgres:5432/mlflow"));
    assert.deepEqual(writtenFiles(stack.command("mlflow-secrets-write")), {
      pgpass: "postgres:5432:mlflow:mlflow:password-of-mlops-dev-postgres-mlflow-password\n",
    });
  });

  void it("serves artifacts itself, from a named volume", () => {
    assert.ok(command.includes("--serve-artifacts"));
    assert.ok(command.includes("--artifacts-destination=/mlflow/artifacts"));
    const volumes = stack.container("mlflow").inputs.volumes as Record<string, unknown>[];
    assert.deepEqual(volumes[1], {
      volumeName: "mlops-dev-mlflow-artifacts",
      containerPath: "/mlflow/artifacts",
    });
  });

  void it("answers to its own names and the public one only", () => {
    assert.ok(
      command.includes("--allowed-hosts=mlflow:5000,127.0.0.1:5000,localhost:5000,localhost:8080"),
    );
  });

  void it("brings its schema up to date before it starts, on the data network", () => {
    const create = String(stack.command("mlflow-schema").inputs.create);
    assert.match(create, /--network=mlops-dev-data /);
    assert.match(
      create,
      / mlflow db upgrade postgresql:\/\/mlflow@postgres:5432\/mlflow \|\| exit/,
    );
  });
});
