import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { eventually, Sandbox, serviceImage, type RunOptions } from "./testing/sandbox";

const USER = "999:999";
const DATA = "/var/lib/postgresql/data";
const INIT_FILES = "/docker-entrypoint-initdb.d";
const READY = ["pg_isready", "--host=127.0.0.1", "--username=postgres"];
const QUERY = ["psql", "--username=postgres", "--tuples-only", "--no-align", "--command"];

void describe("Postgres image", () => {
  const sandbox = new Sandbox();
  let image: string;
  /** Volume with a password that has every character which the entrypoint must quote. */
  let secrets: string;
  const password = "p:a\\s's \"w$rd";

  before(async () => {
    image = await serviceImage("postgres");
    secrets = await sandbox.files({ image, user: USER }, { password: `${password}\n` });
  });
  after(() => sandbox.remove());

  /** A server as the stack runs it, on a new volume unless one is given. */
  async function server(change: Partial<RunOptions> = {}): Promise<RunOptions> {
    return {
      image,
      user: USER,
      tmpfs: ["/run/postgresql"],
      volumes: { [DATA]: await sandbox.volume("data") },
      ...change,
      environment: {
        POSTGRES_PASSWORD_FILE: "/run/secrets/password",
        POSTGRES_INITDB_ARGS: "--auth-local=peer --auth-host=scram-sha-256 --data-checksums",
        ...change.environment,
      },
      files: { "/run/secrets": secrets, ...change.files },
    };
  }

  /** First column of the first row. */
  async function query(container: string, sql: string): Promise<string> {
    const { output, exitCode } = await sandbox.exec(container, ...QUERY, sql);
    assert.equal(exitCode, 0, output);
    return output.trim();
  }

  void it("makes a cluster with checksums, the password from the file and the server's arguments", async () => {
    const container = await sandbox.start(
      await server({
        environment: { POSTGRES_DB: 'the "db"' },
        command: ["-c", "application_name=it's", "-c", "max_connections=20"],
      }),
    );
    await sandbox.healthy(container, ...READY);

    assert.match(await query(container, "SHOW server_version"), /^17\./);
    assert.equal(await query(container, "SHOW data_checksums"), "on");
    assert.equal(await query(container, "SHOW max_connections"), "20");
    assert.equal(
      await query(container, "SELECT count(*) FROM pg_database WHERE datname = 'the \"db\"'"),
      "1",
    );
    const connect = (pgpass: string): string =>
      `umask 077; ${pgpass} >/tmp/pgpass; PGPASSFILE=/tmp/pgpass psql --host=127.0.0.1 --username=postgres --no-password --command='SELECT 1'`;
    const right = await sandbox.exec(
      container,
      "sh",
      "-c",
      connect(`{ printf '*:*:*:*:'; sed 's/[\\\\:]/\\\\&/g' /run/secrets/password; }`),
    );
    assert.equal(right.exitCode, 0, right.output);
    const wrong = await sandbox.exec(container, "sh", "-c", connect("echo '*:*:*:*:wrong'"));
    assert.match(wrong.output, /password authentication failed/);
  });

  void it("keeps data and settings in a new container, and runs the init files once", async () => {
    const files = await sandbox.files(
      { image, user: USER },
      {
        "1-table.sql": "CREATE TABLE starts (at timestamptz DEFAULT now());",
        "2-row.sh": `psql -v ON_ERROR_STOP=1 --username "$POSTGRES_USER" --dbname "$POSTGRES_DB" -c 'INSERT INTO starts DEFAULT VALUES'`,
      },
    );
    const run = await server({ files: { [INIT_FILES]: files } });
    const first = await sandbox.start(run);
    await sandbox.healthy(first, ...READY);
    await query(first, "CREATE TABLE kept AS SELECT 42 AS answer");
    await sandbox.docker(["stop", first]);
    assert.equal(await sandbox.inspect(first, ".State.ExitCode"), "0");

    const second = await sandbox.start(run);
    await sandbox.healthy(second, ...READY);
    assert.equal(await query(second, "SELECT answer FROM kept"), "42");
    assert.equal(await query(second, "SELECT count(*) FROM starts"), "1");
  });

  void it("begins again after an initialisation that was killed half-way", async () => {
    const volumes = { [DATA]: await sandbox.volume("data") };
    const blocked = await sandbox.files(
      { image, user: USER },
      { "1.sql": "CREATE TABLE half (); SELECT pg_sleep(3600);" },
    );
    const killed = await sandbox.start(await server({ volumes, files: { [INIT_FILES]: blocked } }));
    const sleeping = "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep'";
    await eventually("the init file has begun", async () =>
      (await sandbox.exec(killed, ...QUERY, sleeping)).output === "1" ? true : undefined,
    );
    await sandbox.docker(["kill", killed]);
    await sandbox.docker(["wait", killed]);
    const left = await sandbox.once(await server({ volumes, command: ["ls", DATA] }));
    assert.match(left.output, /^pgdata\.initialising$/m);
    assert.doesNotMatch(left.output, /^pgdata$/m);

    const next = await sandbox.start(await server({ volumes }));
    await sandbox.healthy(next, ...READY);
    assert.equal(await query(next, "SELECT to_regclass('half') IS NULL"), "t");
    const after = await sandbox.exec(next, "ls", DATA);
    assert.doesNotMatch(after.output, /initialising/);
  });

  void it("stops at once when told to during the initialisation", async () => {
    const blocked = await sandbox.files(
      { image, user: USER },
      { "1.sh": "echo in the init file; sleep 3600" },
    );
    const container = await sandbox.start(await server({ files: { [INIT_FILES]: blocked } }));
    await eventually("the init file has begun", async () =>
      (await sandbox.logs(container)).includes("in the init file") ? true : undefined,
    );
    await sandbox.docker(["stop", "--time=60", container]);
    assert.equal(await sandbox.inspect(container, ".State.ExitCode"), "130");
  });

  void it("leaves the volume without a cluster when an init file fails", async () => {
    const broken = await sandbox.files({ image, user: USER }, { "1.sql": "SELECT nonsense;" });
    const run = await server({ files: { [INIT_FILES]: broken } });
    const { output, exitCode } = await sandbox.once(run);
    assert.equal(exitCode, 1, output);
    assert.match(output, /column "nonsense" does not exist/);
    assert.match(output, /the new cluster was not finished/);
    const left = await sandbox.once({ ...run, command: ["ls", DATA] });
    assert.doesNotMatch(left.output, /^pgdata$/m);
  });

  void it("touches nothing in a data directory that is not empty and not a cluster", async () => {
    const run = await server();
    const make = `mkdir ${DATA}/pgdata && echo precious >${DATA}/pgdata/file`;
    await sandbox.once({ ...run, command: ["sh", "-c", make] });
    const { output, exitCode } = await sandbox.once(run);
    assert.equal(exitCode, 1, output);
    assert.match(output, /holds files but no PG_VERSION.*Restore a backup/s);
    const left = await sandbox.once({ ...run, command: ["cat", `${DATA}/pgdata/file`] });
    assert.equal(left.output, "precious");
  });

  void it("makes no cluster where a restore was stopped half-way", async () => {
    const run = await server();
    const make = `mkdir -m 0711 ${DATA}/.restore`;
    await sandbox.once({ ...run, command: ["sh", "-c", make] });
    const { output, exitCode } = await sandbox.once(run);
    assert.equal(exitCode, 1, output);
    assert.match(
      output,
      /a restore was stopped here .*Nothing was changed\. Finish it: \.\/mlops up/,
    );
  });

  void it("refuses a second server on the same volume", async () => {
    const run = await server();
    const first = await sandbox.start(run);
    await sandbox.healthy(first, ...READY);
    const { output, exitCode } = await sandbox.once(run);
    assert.equal(exitCode, 1, output);
    assert.match(output, /another container runs on this data volume/);
    assert.equal(await query(first, "SELECT 1"), "1");
  });

  for (const [name, environment, message] of [
    ["no password", { POSTGRES_PASSWORD_FILE: "" }, /Set POSTGRES_PASSWORD_FILE/],
    ["a password given twice", { POSTGRES_PASSWORD: "x" }, /both POSTGRES_PASSWORD and/],
    ["a password file that is not there", { POSTGRES_PASSWORD_FILE: "/nowhere" }, /cannot read/],
    ["a directory for the log", { POSTGRES_INITDB_WALDIR: "/wal" }, /WALDIR is not supported/],
    ["a data directory outside the volume", { PGDATA: "/elsewhere/data" }, /cannot write to/],
  ] as const)
    void it(`refuses ${name}`, async () => {
      const { output, exitCode } = await sandbox.once(await server({ environment }));
      assert.equal(exitCode, 1, output);
      assert.match(output, message);
    });
});
