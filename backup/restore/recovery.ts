import { chown, mkdir, open, readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { CommandError } from "../../cli/errors";
import { archiveOf, newestSegment, readHistories, type Archive, type Runner } from "./archive";
import type { Choice } from "./choose";
import { POSTGRES_USER } from "../settings";
import { PrivateServer, ServerEndedError } from "./private-server";
import { endOfRecovery, formatLsn, newestThrough, parseSegment } from "./timeline";

/** Arguments of {@link recover}. */
export interface RecoveryArgs {
  readonly choice: Choice;
  /** Folder of the new cluster; must not exist yet. */
  readonly data: string;
  /** Folder for the server's socket, which is made. */
  readonly socket: string;
  readonly pgbackrest: Runner;
  /** Told what is done now. */
  readonly report: (doing: string) => void;
}

/**
 * Copies a backup of the database and replays the log up to what is wished.
 *
 * @returns the server, which runs on it and archives nothing.
 * @throws CommandError when the wished state cannot be reached; a later or earlier one is never
 *   taken for it.
 */
export async function recover(args: RecoveryArgs): Promise<PrivateServer> {
  const { choice, data, pgbackrest, report } = args;
  const { label } = choice.base.postgres;
  const archive = await archiveOf(pgbackrest, label);
  if (archive === undefined)
    throw new CommandError(
      `The repository does not have the database of the set ${choice.base.set} (backup ${label}); nothing was changed.`,
      "Choose another set.",
    );
  const timeline = await timelineOf(args, archive);
  await mkdir(data, { mode: 0o700 });
  await chown(data, POSTGRES_USER.uid, POSTGRES_USER.gid);
  report("copying the database");
  await pgbackrest.run("restore", [
    `--pg1-path=${data}`,
    `--set=${label}`,
    ...targetOf(choice),
    `--target-timeline=${timeline}`,
  ]);
  const server = await start(args, archive);
  if (choice.wish.kind === "end") await requireWholeLog(args, archive, timeline, server);
  return server;
}

/** A set's point lies right after its backup, on the same timeline. */
async function timelineOf({ choice, pgbackrest }: RecoveryArgs, archive: Archive): Promise<number> {
  if (choice.wish.kind === "set") return archive.timeline;
  const histories = await readHistories(pgbackrest, archive);
  return newestThrough(histories, archive.timeline, archive.stopLsn);
}

function targetOf({ wish, base }: Choice): string[] {
  const promote = "--target-action=promote";
  switch (wish.kind) {
    case "set":
      return ["--type=name", `--target=${base.postgres.restorePoint}`, promote];
    case "time":
      return ["--type=time", `--target=${wish.at.toISOString().replace("Z", "+00")}`, promote];
    case "end":
      return ["--type=default"];
  }
}

async function start(args: RecoveryArgs, archive: Archive): Promise<PrivateServer> {
  const { data, socket: folder, report } = args;
  try {
    return await PrivateServer.start({
      data,
      folder,
      report: (line) => {
        const segment = /restored log file "([0-9A-F.a-z]+)"/.exec(line)?.[1];
        if (segment !== undefined) report(`replaying ${segment}`);
      },
    });
  } catch (error) {
    if (!(error instanceof ServerEndedError)) throw error;
    throw await explain(args, archive, error);
  }
}

async function explain(
  { choice, data, pgbackrest }: RecoveryArgs,
  archive: Archive,
  error: ServerEndedError,
): Promise<CommandError> {
  const log = error.log.join("\n");
  if (!log.includes("recovery ended before configured recovery target was reached"))
    return new CommandError(
      `The database of the set ${choice.base.set} was copied, but Postgres cannot recover it: ${error.message}. What is live was not touched.`,
      "Choose another set; ./mlops backups lists them.",
      { cause: error },
    );
  const stopped = (await lastReplayed(data)) ?? "none";
  const newest = (await newestSegment(pgbackrest, archive, archive.timeline)) ?? "none";
  if (choice.wish.kind === "time" && stopped >= newest)
    return new CommandError(
      `The write-ahead log in the backups ends (with segment ${newest}) before a change after ${choice.wish.at.toISOString()}; what is live was not touched.`,
      "Name an earlier moment, or restore all that was saved with --end.",
    );
  return new CommandError(
    `The write-ahead log in the backups has a gap: the segment after ${stopped} is missing, and the wished state lies behind it. What is live was not touched.`,
    choice.wish.kind === "set"
      ? "Choose another set; ./mlops backups lists them."
      : "Choose a set after the gap, or a moment before it; ./mlops backups lists the sets.",
  );
}

/** The last segment that was fetched from the archive. */
async function lastReplayed(data: string): Promise<string | undefined> {
  const segments = (await readdir(join(data, "pg_wal"))).filter((name) =>
    /^[0-9A-F]{24}$/.test(name),
  );
  return segments.sort().at(-1);
}

/**
 * Postgres takes a missing segment for the end of the log, and would silently leave out what is
 * behind it.
 */
async function requireWholeLog(
  { data, pgbackrest }: RecoveryArgs,
  archive: Archive,
  timeline: number,
  server: PrivateServer,
): Promise<void> {
  const newest = await newestSegment(pgbackrest, archive, timeline);
  const end = endOfRecovery(await readFile(await historyFile(data), "utf8"));
  if (newest === undefined || parseSegment(newest).start <= end) return;
  await server.stop();
  throw new CommandError(
    `The write-ahead log in the backups has a gap: recovery came no further than ${formatLsn(end)}, and the archive goes on to segment ${newest}. What is live was not touched.`,
    "Choose a set after the gap, or a moment before it; ./mlops backups lists the sets.",
  );
}

/** The history of the timeline that recovery began. */
async function historyFile(data: string): Promise<string> {
  const folder = join(data, "pg_wal");
  const newest = (await readdir(folder))
    .filter((name) => name.endsWith(".history"))
    .sort()
    .at(-1);
  if (newest === undefined) throw new Error(`no timeline history in ${folder}`);
  return join(folder, newest);
}

/**
 * Marks the new timeline's history for the archive, as Postgres would have done if it had archived:
 * the next recovery looks there for numbers that are taken. The server must have stopped.
 */
export async function announceTimeline(data: string): Promise<void> {
  const history = await historyFile(data);
  const folder = join(data, "pg_wal", "archive_status");
  const mark = join(folder, `${history.slice(history.lastIndexOf("/") + 1)}.ready`);
  const handle = await open(mark, "w", 0o600);
  await handle.sync();
  await handle.close();
  await chown(mark, POSTGRES_USER.uid, POSTGRES_USER.gid);
}
