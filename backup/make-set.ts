import { mkdir, readFile, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { CommandError, messageOf } from "../cli/errors";
import type { Agent } from "./agent";
import { isDamaged, markIncomplete } from "./damage";
import type { Doing, Report } from "./events";
import {
  sealManifest,
  type FilesPart,
  type FilesPartName,
  type Manifest,
  type PostgresPart,
  type Reason,
} from "./manifest";
import { namePoint, startArchiving, type Point } from "./point";
import { MANIFEST_FILE, MANIFEST_TAG, type Restic, type Saved } from "./restic";
import { readIndexBack } from "./reindex";
import { holdingRewrites, pingRedis, releaseRewrites } from "./redis-hold";
import type { Places, StackFacts } from "./settings";

/** What the command line knows of the stack, and the agent's container does not. */
export interface StackExport {
  /** Pulumi's export, with its secrets encrypted. */
  readonly state?: unknown;
  /** Text of the stack's configuration file. */
  readonly config?: string;
}

/** Folders of each part, below the place of the sources. */
const PART_FOLDERS: Readonly<Record<Exclude<FilesPartName, "stack">, readonly string[]>> = {
  mlflow: ["mlflow"],
  app: ["app/data", "app/models"],
  redis: ["redis"],
};

/**
 * Makes a set: databases, then artifacts and data of the app, then Redis, then what the stack is
 * made of; reads all of it back; and only then writes the manifest. What cannot be saved does not
 * keep the rest from it, but such a set is not complete, and never the latest.
 *
 * @throws CommandError when not even the manifest could be written.
 */
export async function makeSet(agent: Agent, reason: Reason, report: Report): Promise<Manifest> {
  const problems: string[] = [];
  try {
    return await saveAll(agent, reason, report, problems);
  } catch (error) {
    if (error instanceof CommandError) throw error;
    throw new CommandError(
      `No set was made: ${[...problems, messageOf(error)].join("; ")}. Earlier sets are as they were.`,
      "Make room where the repository is, if its disk is full, or correct what else it says; then make one again.",
      { cause: error },
    );
  }
}

/** @param problems gets what is missing or wrong. */
async function saveAll(
  agent: Agent,
  reason: Reason,
  report: Report,
  problems: string[],
): Promise<Manifest> {
  const { places, settings, pgbackrest, restic, sets } = agent;
  const startedAt = new Date();
  await sets.clean();
  await readIndexBack(agent);
  const earlier = (await sets.list()).sets;
  const set = await sets.freeName(startedAt);
  /** A step whose failure is a problem of the set, not its end. */
  const attempt = async <T>(
    step: string,
    work: (doing: Doing) => Promise<T>,
  ): Promise<T | null> => {
    try {
      return await report.step(step, work);
    } catch (error) {
      problems.push(`${step}: ${messageOf(error)}`);
      return null;
    }
  };
  const tools = { pgbackrest: await pgbackrest.version(), restic: await restic.version() };
  await report.step("check", async () => {
    await restic.ensure();
    await restic.unlock();
    await releaseRewrites(places);
  });
  const newest = (await sets.own()).at(-1);
  const anew = newest !== undefined && isDamaged(newest);
  if (anew) await report.step("repair", () => restic.repair());
  const postgres = await attempt("postgres", (doing) => savePostgres(agent, set, doing));
  const saved: Record<FilesPartName, Saved | null> = {
    mlflow: null,
    app: null,
    redis: null,
    stack: null,
  };
  const saveFiles = (part: FilesPartName, folders: readonly string[], doing: Doing) =>
    restic.backup(folders, [`set:${set}`, `part:${part}`], doing, anew);
  const below = (part: keyof typeof PART_FOLDERS): string[] =>
    PART_FOLDERS[part].map((folder) => join(places.source, folder));
  saved.mlflow = await attempt("mlflow", async (doing) => {
    const part = await saveFiles("mlflow", below("mlflow"), doing);
    // Its files are saved all the same; that it is down at this hour somebody has to know.
    await requireMlflow().catch((error: unknown) => problems.push(messageOf(error)));
    return part;
  });
  saved.app = await attempt("app", (doing) => saveFiles("app", below("app"), doing));
  saved.redis = await attempt("redis", async (doing) => {
    const save = () => saveFiles("redis", below("redis"), doing);
    const failure = await pingRedis(places).then(
      () => undefined,
      (error: unknown) => error,
    );
    if (failure === undefined) return holdingRewrites(places, save);
    problems.push(
      `redis: does not answer (${messageOf(failure)}); what it had written to its disk is saved`,
    );
    return save();
  });
  const facts = await readFacts(places, problems);
  saved.stack = await attempt("stack", (doing) =>
    saveFiles(
      "stack",
      [join(places.source, "stack"), join(places.source, "tls"), join(places.backup, "stack")],
      doing,
    ),
  );
  if (anew) await report.step("damage", () => markIncomplete(agent));
  const files = await withTrees(restic, set, saved);
  const parts = [postgres, ...Object.values(files)];
  const unread = await attempt("verify", (doing) =>
    readBack(agent, { postgres: postgres?.part ?? null, files }, doing),
  );
  const manifest = sealManifest({
    format: 1,
    set,
    stack: settings.stack,
    reason,
    sequence: Math.max(0, ...earlier.map(({ sequence }) => sequence)) + 1,
    startedAt: startedAt.toISOString(),
    finishedAt: new Date().toISOString(),
    complete: parts.every((part) => part !== null) && problems.length === 0,
    verified: unread !== null && parts.every((part) => part !== null),
    problems,
    tools,
    postgres: postgres?.part ?? null,
    files,
    images: facts.images,
    version: facts.version,
    models: postgres?.point.models ?? [],
    seconds: report.seconds,
  });
  await report.step("manifest", async () => {
    await restic.backupText(MANIFEST_FILE, JSON.stringify(manifest), [`set:${set}`, MANIFEST_TAG]);
    await sets.write(manifest);
    await sets.updateLatest();
  });
  return manifest;
}

/** The parts with their trees, which restic tells of all snapshots at once. */
async function withTrees(
  restic: Restic,
  set: string,
  saved: Readonly<Record<FilesPartName, Saved | null>>,
): Promise<Record<FilesPartName, FilesPart | null>> {
  const listed = await restic.snapshots([`set:${set}`]);
  const part = (name: FilesPartName): FilesPart | null => {
    const of = saved[name];
    const tree = listed.find(({ id }) => id === of?.snapshot)?.tree;
    return of === null || tree === undefined ? null : { ...of, tree };
  };
  return { mlflow: part("mlflow"), app: part("app"), redis: part("redis"), stack: part("stack") };
}

interface SavedPostgres {
  readonly part: PostgresPart;
  readonly point: Point;
}

async function savePostgres(
  { places, pgbackrest }: Agent,
  set: string,
  doing: Doing,
): Promise<SavedPostgres> {
  doing("preparing the archive");
  await pgbackrest.createStanza();
  await startArchiving(places, pgbackrest.archiveCommand);
  doing("copying the cluster");
  await pgbackrest.backup(set);
  doing("naming the point to restore to");
  const point = await namePoint(places, set, doing);
  doing("waiting for the archive");
  await pgbackrest.check();
  const backup = (await pgbackrest.backups()).findLast(
    ({ annotation }) => annotation?.["set"] === set,
  );
  const cluster = await pgbackrest.cluster();
  if (backup === undefined || cluster === undefined)
    throw new Error("pgBackRest does not list the backup that it has just made");
  return {
    point,
    part: {
      label: backup.label,
      version: cluster.version,
      systemId: cluster.systemId,
      restorePoint: set,
      startLsn: backup.lsn.start,
      stopLsn: backup.lsn.stop,
      bytes: backup.info.size,
      repositoryBytes: backup.info.repository.delta,
      sha256: await pgbackrest.sha256(
        `backup/${pgbackrest.stanza}/${backup.label}/backup.manifest`,
      ),
      lockedMs: point.lockedMs,
      databases: point.databases,
    },
  };
}

/** What of a set is to be read back. */
export type SetParts = Pick<Manifest, "postgres" | "files">;

/**
 * Reads back everything that a set needs, and compares it with its checksums.
 *
 * @throws Error naming what is damaged or missing.
 */
export async function readBack(
  { settings, pgbackrest, restic }: Agent,
  { postgres, files }: SetParts,
  doing: Doing,
): Promise<true> {
  if (postgres !== null) {
    doing("reading the databases back");
    await pgbackrest.verify(postgres.label);
    const sha256 = await pgbackrest.sha256(
      `backup/${pgbackrest.stanza}/${postgres.label}/backup.manifest`,
    );
    if (sha256 !== postgres.sha256)
      throw new Error(`the list of files of the backup ${postgres.label} is not what it was`);
  }
  if (settings.verifyPercent < 100) {
    doing(`reading ${settings.verifyPercent} % of the files back`);
    await restic.check(settings.verifyPercent);
    return true;
  }
  for (const [name, part] of Object.entries(files)) {
    if (part === null) continue;
    doing(`reading the files of ${name} back`);
    await restic.readAll(part.snapshot);
  }
  return true;
}

/** @throws Error when MLflow does not answer. */
async function requireMlflow(): Promise<void> {
  try {
    const answer = await fetch("http://mlflow:5000/health", { signal: AbortSignal.timeout(5000) });
    if (!answer.ok) throw new Error(`HTTP status ${answer.status}`);
  } catch (error) {
    throw new Error(
      `mlflow: does not answer (${messageOf(error)}); the artifacts that it had stored are saved`,
      { cause: error },
    );
  }
}

async function readFacts(places: Places, problems: string[]): Promise<StackFacts> {
  try {
    return JSON.parse(
      await readFile(join(places.source, "stack", "stack.json"), "utf8"),
    ) as StackFacts;
  } catch (error) {
    problems.push(`stack: what it is made of cannot be read: ${messageOf(error)}`);
    return { stack: "", version: "", images: {}, config: {} };
  }
}

/** Keeps what only the command line knows, for this set and those that the schedule makes. */
export async function keepExport(places: Places, { state, config }: StackExport): Promise<void> {
  const folder = join(places.backup, "stack");
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const keep = async (name: string, text: string): Promise<void> => {
    const partial = join(folder, `.${name}.partial`);
    await writeFile(partial, text, { mode: 0o600, flush: true });
    await rename(partial, join(folder, name));
  };
  if (state !== undefined) await keep("state.json", JSON.stringify(state));
  if (config !== undefined) await keep("Pulumi.stack.yaml", config);
}
