import assert from "node:assert/strict";
import { describe, it } from "node:test";
import * as pulumi from "@pulumi/pulumi";
import { provisionSql } from "./postgres-roles";
import { recordStack, stackConfig, writtenFiles } from "./testing/stack";

void describe("Postgres", async () => {
  const stack = await recordStack(stackConfig("prod"));

  void it("runs with checksums, passwords over the network, and data on a named volume", () => {
    const { inputs } = stack.container("postgres");
    assert.deepEqual(inputs.envs, [
      "PGDATA=/var/lib/postgresql/data/pgdata",
      "POSTGRES_HOST_AUTH_METHOD=scram-sha-256",
      "POSTGRES_INITDB_ARGS=--data-checksums --auth-host=scram-sha-256 --auth-local=peer",
      "POSTGRES_PASSWORD_FILE=/run/secrets/postgres_password",
    ]);
    assert.deepEqual(inputs.volumes, [
      {
        volumeName: "mlops-prod-postgres-secrets",
        containerPath: "/run/secrets",
        readOnly: true,
      },
      {
        volumeName: "mlops-prod-postgres-socket",
        containerPath: "/run/postgresql",
        readOnly: false,
      },
      { volumeName: "mlops-prod-backup-key", containerPath: "/run/backup", readOnly: true },
      {
        volumeName: "mlops-prod-postgres-data",
        containerPath: "/var/lib/postgresql/data",
      },
      { volumeName: "mlops-prod-backup-repository", containerPath: "/backup" },
    ]);
    assert.deepEqual(inputs.command, [
      ..."postgres -c archive_mode=on -c archive_timeout=60".split(" "),
    ]);
    assert.equal(inputs.stopSignal, "SIGINT");
    assert.equal(inputs.memory, 2048);
    assert.equal(inputs.memoryReservation, 512);
  });

  void it("gives each database its own role and password, by standard input and secret", () => {
    const roles = stack.command("postgres-roles");
    assert.equal(
      roles.inputs.create,
      "docker exec --interactive --user postgres mlops-prod-postgres " +
        "psql --quiet --no-psqlrc --set ON_ERROR_STOP=1",
    );
    assert.ok(roles.secrets.includes("stdin"));
    const sql = String(roles.inputs.stdin);
    for (const role of ["mlops", "mlflow", "metrics"])
      assert.match(
        sql,
        new RegExp(
          `ALTER ROLE ${role} PASSWORD 'password-of-mlops-prod-postgres-${role}-password'`,
        ),
      );
    for (const database of ["mlops", "mlflow"])
      assert.match(sql, new RegExp(`CREATE DATABASE ${database} OWNER ${database}`));
  });

  void it("hands out passwords as files, encrypted in the state", () => {
    const write = stack.command("postgres-secrets-write");
    assert.ok(write.secrets.includes("stdin"));
    assert.deepEqual(writtenFiles(write), {
      postgres_password: "password-of-mlops-prod-postgres-superuser-password",
    });
    assert.match(String(write.inputs.stdin), /chown 999:999 \.postgres_password\.new/);
  });
});

void describe("provisionSql", () => {
  const role = (name: string, password = "x") => ({ name, password: pulumi.output(password) });

  void it("escapes a password", async () => {
    const sql = provisionSql({
      owners: [role("a", "it's")],
      superuser: role("s"),
      monitor: role("m"),
    });
    const text = await new Promise<string>((resolve) => sql.apply(resolve));
    assert.match(text, /ALTER ROLE a PASSWORD 'it''s';/);
  });
});
