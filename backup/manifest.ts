import { createHash } from "node:crypto";

/** Why a set was made. */
export type Reason = "manual" | "schedule" | "safety";

/** One of the services' files, as restic keeps them. */
export interface FilesPart {
  /** ID of restic's snapshot, in full. */
  readonly snapshot: string;
  /** SHA-256 over all names, modes and contents: the root of restic's tree. */
  readonly tree: string;
  readonly files: number;
  /** Of all files together. */
  readonly bytes: number;
  /** By which the repository grew. */
  readonly addedBytes: number;
}

/** Parts of a set that are files, in the order in which they are saved. */
export const FILES_PARTS = ["mlflow", "app", "redis", "stack"] as const;

export type FilesPartName = (typeof FILES_PARTS)[number];

/** What a database held at the set's restore point, exactly. */
export interface DatabaseContent {
  /** Alembic's revision of the schema; null where there is none. */
  readonly revision: string | null;
  /** SHA-256 of a dump with the parts left out that differ from run to run. */
  readonly dumpSha256: string;
  /** Rows by table, `schema.table`. */
  readonly rows: Readonly<Record<string, number>>;
}

/** The databases, as pgBackRest keeps them. */
export interface PostgresPart {
  /** pgBackRest's name of the backup. */
  readonly label: string;
  /** Of the server, such as `17.6`. */
  readonly version: string;
  readonly systemId: string;
  /** Named point in the write-ahead log up to which a restore replays it. */
  readonly restorePoint: string;
  readonly startLsn: string;
  readonly stopLsn: string;
  /** Of the cluster. */
  readonly bytes: number;
  /** Of the backup in the repository. */
  readonly repositoryBytes: number;
  /** SHA-256 of pgBackRest's own manifest, which has a checksum of each file. */
  readonly sha256: string;
  /** Milliseconds for which writers waited at the restore point. */
  readonly lockedMs: number;
  readonly databases: Readonly<Record<string, DatabaseContent>>;
}

/** A version in MLflow's registry. */
export interface ModelVersion {
  readonly name: string;
  readonly version: string;
  readonly aliases: readonly string[];
}

/** What a set of backups is, and what it held. */
export interface Manifest {
  /** Of this description; a newer one is refused. */
  readonly format: 1;
  /** Name of the set: its time in UTC, such as `20261123T090000Z`. */
  readonly set: string;
  readonly stack: string;
  readonly reason: Reason;
  /** Grows from set to set, whatever the clock says. */
  readonly sequence: number;
  /** ISO 8601. */
  readonly startedAt: string;
  /** ISO 8601. */
  readonly finishedAt: string;
  /** Whether every service was saved while it answered. */
  readonly complete: boolean;
  /** Whether all that was saved was read back and is what was written. */
  readonly verified: boolean;
  /** What is missing or wrong, in sentences. */
  readonly problems: readonly string[];
  readonly tools: { readonly pgbackrest: string; readonly restic: string };
  /** Null where it was not saved. */
  readonly postgres: PostgresPart | null;
  readonly files: Readonly<Record<FilesPartName, FilesPart | null>>;
  /** Image IDs by service. */
  readonly images: Readonly<Record<string, string>>;
  /** The app's release. */
  readonly version: string;
  readonly models: readonly ModelVersion[];
  /** Seconds by step. */
  readonly seconds: Readonly<Record<string, number>>;
  /** SHA-256 of all other fields; see {@link sealManifest}. */
  readonly sha256: string;
}

/** Rows of all tables together. */
export const rowsOf = (
  databases: Readonly<Record<string, Pick<DatabaseContent, "rows">>>,
): number =>
  Object.values(databases)
    .flatMap(({ rows }) => Object.values(rows))
    .reduce((total, count) => total + count, 0);

/** The newest format that this program reads. */
export const MANIFEST_FORMAT = 1;

/** A manifest with its checksum; one that it has already is made anew. */
export function sealManifest(manifest: Omit<Manifest, "sha256"> & { sha256?: string }): Manifest {
  const fields = { ...manifest };
  delete fields.sha256;
  return { ...fields, sha256: digest(fields) };
}

/**
 * Reads a manifest.
 *
 * @throws Error, with the reason, when it is no whole manifest of a format that this program knows.
 */
export function parseManifest(text: string): Manifest {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new Error("it is not whole JSON");
  }
  if (typeof value !== "object" || value === null) throw new Error("it is not a manifest");
  const { sha256, ...rest } = value as Manifest;
  const format: number | undefined = rest.format;
  if (typeof format === "number" && format > MANIFEST_FORMAT)
    throw new Error(
      `its format ${format} is newer than this program, which knows ${MANIFEST_FORMAT}`,
    );
  if (sha256 !== digest(rest)) throw new Error("its checksum is wrong: it was damaged or edited");
  return value as Manifest;
}

/** SHA-256 of a value's JSON with the keys of all objects in order. */
function digest(value: unknown): string {
  return createHash("sha256")
    .update(JSON.stringify(ordered(value)))
    .digest("hex");
}

function ordered(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(ordered);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([key, member]) => [key, ordered(member)]),
  );
}
