import { readFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { Client, DatabaseError } from "pg";
import { dumpSha256 } from "./dump";
import type { Doing } from "./events";
import type { DatabaseContent, ModelVersion } from "./manifest";
import type { Places } from "./settings";

/** Databases of a stack: the app's and MLflow's. */
export const DATABASES = ["mlops", "mlflow"] as const;

/** A point in the write-ahead log, and exactly what the databases held there. */
export interface Point {
  /** Milliseconds for which writers waited. */
  readonly lockedMs: number;
  readonly databases: Readonly<Record<string, DatabaseContent>>;
  readonly models: readonly ModelVersion[];
}

/** Of Postgres: a lock was not to be had in time. */
const LOCK_NOT_AVAILABLE = "55P03";
/** Writers queue behind a lock that waits, so it waits for a moment only, and tries again. */
const LOCK_TIMEOUT = "1s";
const ATTEMPTS = 20;
const PAUSE_MS = 500;

const TABLES = `
  SELECT quote_ident(nspname) || '.' || quote_ident(relname) AS name
    FROM pg_class JOIN pg_namespace ON pg_namespace.oid = relnamespace
   WHERE relkind IN ('r', 'p') AND nspname !~ '^pg_' AND nspname <> 'information_schema'
   ORDER BY 1`;

/**
 * Names a point in the write-ahead log, and reads what the databases hold exactly there. Writers are
 * kept out of all tables together while the point is written and snapshots are taken, which is
 * milliseconds; what takes long is read from the snapshots, while everybody writes on.
 *
 * @param name of the point.
 * @throws Error when the tables are not to be had, or the server does not answer.
 */
export async function namePoint(places: Places, name: string, doing: Doing): Promise<Point> {
  const readers = await Promise.all(DATABASES.map((database) => connect(places, database)));
  try {
    const lockedMs = await withSnapshots(places, readers, name);
    const databases: Record<string, DatabaseContent> = {};
    let models: readonly ModelVersion[] = [];
    for (const { client, database } of readers) {
      doing(`reading what ${database} holds`);
      databases[database] = await readContent(client, database, places.socket);
      if (database === "mlflow") models = await readModels(client);
      await client.query("COMMIT");
    }
    return { lockedMs, databases, models };
  } finally {
    await Promise.all(readers.map(({ client }) => client.end()));
  }
}

interface Connection {
  readonly client: Client;
  readonly database: string;
}

async function connect(places: Places, database: string): Promise<Connection> {
  const client = new Client({
    host: "postgres",
    user: "postgres",
    database,
    // Read anew each time: it may have been rotated.
    password: readFileSync(join(places.secrets, "postgres_password"), "utf8").trim(),
    application_name: "mlops-backup",
    connectionTimeoutMillis: 10_000,
  });
  // A connection that breaks fails its query; without a listener it would end the process as well.
  client.on("error", () => undefined);
  await client.connect();
  return { client, database };
}

/** Gives all readers snapshots of the same moment, under that name; returns how long writers waited. */
async function withSnapshots(
  places: Places,
  readers: readonly Connection[],
  name: string,
): Promise<number> {
  for (let attempt = 1; ; attempt += 1) {
    const lockers = await Promise.all(readers.map(({ database }) => connect(places, database)));
    try {
      return await lockAndShare(lockers, readers, name);
    } catch (error) {
      const isBusy = error instanceof DatabaseError && error.code === LOCK_NOT_AVAILABLE;
      if (!isBusy || attempt === ATTEMPTS) throw error;
    } finally {
      await Promise.all(lockers.map(({ client }) => client.end()));
    }
    for (const { client } of readers) await client.query("ROLLBACK");
    await delay(PAUSE_MS);
  }
}

async function lockAndShare(
  lockers: readonly Connection[],
  readers: readonly Connection[],
  name: string,
): Promise<number> {
  // Beforehand, as a query in the transaction would take its snapshot.
  const tables = await Promise.all(readers.map(({ client }) => listTables(client)));
  const begun = performance.now();
  for (const [index, { client }] of lockers.entries()) {
    await client.query("BEGIN ISOLATION LEVEL REPEATABLE READ");
    await client.query(`SET LOCAL lock_timeout = '${LOCK_TIMEOUT}'`);
    const list = tables[index]?.join(", ") ?? "";
    if (list !== "") await client.query(`LOCK TABLE ${list} IN SHARE MODE`);
  }
  // Whoever wrote has committed by now, and nobody writes until the locks go.
  for (const [index, { client }] of lockers.entries()) {
    const exported = await client.query<{ id: string }>("SELECT pg_export_snapshot() AS id");
    const reader = readers[index]?.client;
    await reader?.query("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY");
    await reader?.query(`SET TRANSACTION SNAPSHOT '${exported.rows[0]?.id ?? ""}'`);
  }
  await lockers[0]?.client.query("SELECT pg_create_restore_point($1)", [name]);
  for (const { client } of lockers) await client.query("COMMIT");
  return Math.round(performance.now() - begun);
}

async function listTables(client: Client): Promise<string[]> {
  return (await client.query<{ name: string }>(TABLES)).rows.map(({ name }) => name);
}

/** What a database holds, in the snapshot that the connection has. */
async function readContent(
  client: Client,
  database: string,
  socket: string,
): Promise<DatabaseContent> {
  const exported = await client.query<{ id: string }>("SELECT pg_export_snapshot() AS id");
  return {
    ...(await readCounts(client)),
    dumpSha256: await dumpSha256({ database, socket, snapshot: exported.rows[0]?.id ?? "" }),
  };
}

/** Rows of all tables, and the revision of the schema. */
export async function readCounts(
  client: Pick<Client, "query">,
): Promise<Pick<DatabaseContent, "rows" | "revision">> {
  const rows: Record<string, number> = {};
  const tables = (await client.query<{ name: string }>(TABLES)).rows;
  for (const { name } of tables) {
    const counted = await client.query<{ count: string }>(`SELECT count(*) FROM ${name}`);
    rows[name] = Number(counted.rows[0]?.count);
  }
  const versioned = tables.some(({ name }) => name === "public.alembic_version");
  const revision = versioned
    ? (
        await client.query<{ version: string }>(
          "SELECT version_num AS version FROM alembic_version",
        )
      ).rows[0]?.version
    : undefined;
  return { rows, revision: revision ?? null };
}

/** Every registered version; none where MLflow has made no tables yet. */
export async function readModels(client: Pick<Client, "query">): Promise<ModelVersion[]> {
  const known = await client.query<{ known: boolean }>(
    "SELECT to_regclass('model_versions') IS NOT NULL AS known",
  );
  if (known.rows[0]?.known !== true) return [];
  const { rows } = await client.query<ModelVersion>(
    `SELECT v.name, v.version::text AS version,
            coalesce(array_agg(a.alias::text ORDER BY a.alias) FILTER (WHERE a.alias IS NOT NULL), '{}') AS aliases
       FROM model_versions v
       LEFT JOIN registered_model_aliases a ON a.name = v.name AND a.version = v.version
      GROUP BY v.name, v.version ORDER BY v.name, v.version`,
  );
  return rows.map(({ name, version, aliases }) => ({ name, version, aliases }));
}

/** Lets Postgres archive its write-ahead log from now on; changes nothing where it does. */
export async function startArchiving(places: Places, archiveCommand: string): Promise<void> {
  const { client } = await connect(places, "postgres");
  try {
    const { rows } = await client.query<{ mode: string; command: string }>(
      "SELECT current_setting('archive_mode') AS mode, current_setting('archive_command') AS command",
    );
    if (rows[0]?.mode !== "on")
      throw new Error("the server does not archive its write-ahead log (archive_mode is not on)");
    if (rows[0].command === archiveCommand) return;
    await client.query(
      `ALTER SYSTEM SET archive_command = '${archiveCommand.replaceAll("'", "''")}'`,
    );
    await client.query("SELECT pg_reload_conf()");
  } finally {
    await client.end();
  }
}
