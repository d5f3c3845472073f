import assert from "node:assert/strict";
import { resolve } from "node:path";
import { describe, it } from "node:test";
import { recordStack, stackConfig, writtenFiles } from "./testing/stack";

void describe("App", async () => {
  const prod = await recordStack(stackConfig("prod"));

  void it("starts new containers beside the old: no fixed name, no published port", () => {
    for (const replica of ["app-0", "app-1"]) {
      const { inputs } = prod.container(replica);
      assert.equal(inputs.name, undefined);
      assert.equal(inputs.ports, undefined);
    }
  });

  void it("is limited to 2 CPUs and 4 GiB, with half of each reserved", () => {
    const { inputs } = prod.container("app-0");
    assert.equal(inputs.cpus, "2.0");
    assert.equal(inputs.memory, 4096);
    assert.equal(inputs.memoryReservation, 2048);
    assert.equal(inputs.cpuShares, 1024);
  });

  void it("gets the settings it reads, and secrets as files", () => {
    assert.deepEqual(prod.container("app-0").inputs.envs, [
      "APP_VERSION=v1.0.0",
      "CACHE_MAX_SIZE=1000",
      "CACHE_TTL=3600",
      "DATABASE_PASSWORD_FILE=/run/secrets/postgres_password",
      "DATABASE_URL=postgresql://mlops@postgres:5432/mlops",
      "LOG_LEVEL=warning",
      "MLFLOW_TRACKING_URI=http://mlflow:5000",
      "MODEL_ALIAS=champion",
      "MODEL_NAME=reference",
      "PORT=8000",
      "REDIS_PASSWORD_FILE=/run/secrets/redis_password",
      "REDIS_URL=redis://redis:6379/0",
      "RELOAD=false",
      "SECRET_KEY_FILE=/run/secrets/secret_key",
      "SHUTDOWN_GRACE_SECONDS=20",
    ]);
    assert.deepEqual(writtenFiles(prod.command("app-secrets-write")), {
      postgres_password: "password-of-mlops-prod-postgres-mlops-password",
      redis_password: "password-of-mlops-prod-redis-password",
      secret_key: "password-of-mlops-prod-app-secret-key",
    });
  });

  void it("has its containers found under a name that only they have", () => {
    const networks = prod.container("app-0").inputs.networksAdvanced as {
      name: string;
      aliases: string[];
    }[];
    const application = networks.find(({ name }) => name === "mlops-prod-application");
    assert.equal(application?.aliases[0], "app");
    assert.match(application.aliases[1] ?? "", /^app-[0-9a-f]{8}$/);
  });

  void it("migrates the database before it starts, without secrets on the command line", () => {
    const { inputs } = prod.command("app-migrate");
    assert.match(String(inputs.create), /--network=mlops-prod-data .* migrate \|\| exit/);
    assert.doesNotMatch(String(inputs.create), /password-of-/);
  });

  void it("migrates again where Postgres has another container, and so perhaps restored data", () => {
    for (const job of ["app-migrate", "mlflow-schema"]) {
      const { inputs } = prod.command(job);
      assert.equal((inputs.triggers as unknown[])[1], "mlops-prod-postgres-id");
    }
  });

  void it("in dev mode runs the working folder, and reloads", async () => {
    const dev = await recordStack(stackConfig("dev", {}, { MODE: "vsc" }));
    const { inputs } = dev.container("app");
    assert.ok((inputs.envs as string[]).includes("RELOAD=true"));
    assert.deepEqual((inputs.volumes as unknown[]).at(-1), {
      hostPath: resolve("app"),
      containerPath: "/app",
    });
  });
});
