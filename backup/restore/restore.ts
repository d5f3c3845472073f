import { chmod, chown, mkdir, readdir, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Agent } from "../agent";
import { CommandError, messageOf } from "../../cli/errors";
import type { Doing, Report } from "../events";
import type { FilesPart, Manifest } from "../manifest";
import { runTool } from "../program";
import { POSTGRES_USER } from "../settings";
import { readIndexBack } from "../reindex";
import { requireIntact } from "./amcheck";
import { requireSameContent } from "./check";
import { choose, type Choice, type Wish } from "./choose";
import { readRestored, withClient, type Restored } from "./content";
import { restoreFiles } from "./files";
import { Place, STAYS, waitingIn } from "./place";
import type { PrivateServer } from "./private-server";
import { announceTimeline, recover } from "./recovery";
import { requireRoom, type Need } from "./room";
import { swap } from "./swap";
import { TARGETS, type Target } from "./targets";

/** What is restored, and where to. */
export interface RestoreRequest {
  readonly wish: Wish;
  /** Name of the restore, under which it waits in the volumes. */
  readonly id: string;
  /** Whether a set will do that is not verified or lacks services. */
  readonly unverified: boolean;
  /**
   * Whether it is for another stack: it goes live in empty volumes at once, and archives nothing into
   * the repository that it came from.
   */
  readonly isCopy: boolean;
  /** Folder with the volumes. */
  readonly root: string;
}

/** What waits in the volumes now. */
export interface RestoreResult extends Restored {
  readonly id: string;
  /** Set whose database was the start. */
  readonly set: string;
  /** Set whose files were taken. */
  readonly filesOf: string;
  /** The release of the app that made the set. */
  readonly version: string;
  /** Names of the volumes that were restored. */
  readonly volumes: readonly string[];
}

/** Settings that only recovery needs, and that would mislead whoever reads them later. */
const OF_RECOVERY = [
  "restore_command",
  "recovery_target",
  "recovery_target_action",
  "recovery_target_inclusive",
  "recovery_target_lsn",
  "recovery_target_name",
  "recovery_target_time",
  "recovery_target_timeline",
  "recovery_target_xid",
];

/** A volume that is restored, and what from. */
interface Part {
  readonly target: Target;
  readonly place: Place;
  /** Undefined for the database. */
  readonly files: FilesPart | undefined;
}

/**
 * Restores beside what is live, and proves it: nothing that runs notices. What an earlier restore
 * has left that never became live is removed first.
 *
 * @throws CommandError when it cannot be what was wished; then nothing of it is kept.
 */
export async function restore(
  agent: Agent,
  request: RestoreRequest,
  report: Report,
): Promise<RestoreResult> {
  const choice = await report.step("choose", () => chooseFrom(agent, request));
  await discardLeftovers(request.root);
  const parts = partsOf(choice, request);
  if (request.isCopy) await requireEmpty(parts);
  try {
    await report.step("room", () => requireRoom(parts.map((part) => needOf(part, choice.base))));
    for (const { place, files } of parts) await place.create(files === undefined);
    const restored = await restoreDatabase(agent, request, choice, report);
    for (const part of parts) await restorePart(agent, part, report);
    // Only all of them together are a restore: see `swap`.
    for (const { place } of parts) await place.setPhase("ready");
    if (request.isCopy) await report.step("place", (doing) => goLive(parts, doing));
    return {
      ...restored,
      id: request.id,
      set: choice.base.set,
      filesOf: choice.files.set,
      version: choice.base.version,
      volumes: parts.map(({ target }) => target.name),
    };
  } catch (error) {
    for (const { place } of parts) await place.remove();
    if (error instanceof CommandError) throw error;
    throw new CommandError(
      `The set ${choice.base.set} cannot be restored: ${messageOf(error)}. What is live was not touched.`,
      "Choose another set; ./mlops backups lists them. Where this one is damaged, ./mlops backup makes a new one.",
      { cause: error },
    );
  }
}

async function chooseFrom(agent: Agent, request: RestoreRequest): Promise<Choice> {
  const { sets, settings, restic } = agent;
  // Its files are restored last: too late to find out that the key is wrong.
  await restic.open();
  await readIndexBack(agent);
  const known = { ...(await sets.list()), latest: await sets.latest() };
  const { stdout } = await runTool("postgres", ["--version"], { asPostgres: true });
  return choose(known, request.wish, {
    stack: settings.stack,
    postgresMajor: /(\d+)(\.\d+)?/.exec(stdout)?.[1] ?? "",
    unverified: request.unverified,
    now: new Date(),
  });
}

/** What was being restored or waited when somebody was killed; what was live once is kept. */
async function discardLeftovers(root: string): Promise<void> {
  for (const { name } of TARGETS)
    for (const id of await waitingIn(join(root, name))) {
      const place = new Place(name, join(root, name), id);
      const phase = await place.phase();
      if (phase === undefined || phase === "restoring" || phase === "ready") await place.remove();
    }
}

function partsOf({ files }: Choice, { root, id }: RestoreRequest): Part[] {
  return TARGETS.flatMap((target: Target): Part[] => {
    const place = new Place(target.name, join(root, target.name), id);
    if (target.files === undefined) return [{ target, place, files: undefined }];
    const part = files.files[target.files.part];
    return part === null ? [] : [{ target, place, files: part }];
  });
}

async function requireEmpty(parts: readonly Part[]): Promise<void> {
  for (const { place } of parts) {
    const found = (await readdir(place.root)).filter((name) => !STAYS.has(name));
    if (found.length > 0)
      throw new CommandError(
        `The volume of ${place.volume} is not empty (${found.slice(0, 3).join(", ")}); nothing was changed.`,
        "Restore into a stack that has no data yet.",
      );
  }
}

/** In volumes of its own, a copy has nothing to make room for, and owner and mode to bring along. */
async function goLive(parts: readonly Part[], doing: Doing): Promise<void> {
  const places = parts.map(({ place }) => place);
  await swap(places, "restored", doing);
  for (const { place, files } of parts) {
    const { uid, gid, mode } =
      files === undefined ? { ...POSTGRES_USER, mode: 0o700 } : await stat(place.new);
    await chown(place.root, uid, gid);
    await chmod(place.root, mode & 0o7777);
    await place.remove();
  }
}

const needOf = ({ place, files }: Part, { postgres }: Manifest): Need => ({
  folder: place.root,
  bytes: files?.bytes ?? postgres?.bytes ?? 0,
});

async function restoreDatabase(
  { pgbackrest }: Agent,
  { id, root, isCopy }: RestoreRequest,
  choice: Choice,
  report: Report,
): Promise<Restored> {
  const { name } = TARGETS[0];
  const data = join(new Place(name, join(root, name), id).new, "pgdata");
  const socket = join(tmpdir(), "restore-server");
  const server = await report.step("postgres", async (doing) =>
    recover({ choice, data, socket, pgbackrest, report: doing }),
  );
  let restored: Restored;
  try {
    restored = await report.step("compare", async () => {
      const found = await readRestored(server.folder);
      if (choice.wish.kind === "set")
        requireSameContent(choice.base.set, choice.base.postgres.databases, found.databases);
      return found;
    });
    await report.step("amcheck", () => requireIntact(server.folder));
    await forgetRecovery(server, isCopy);
  } catch (error) {
    await server.kill();
    throw error;
  }
  await server.stop();
  await announceTimeline(data);
  return restored;
}

async function forgetRecovery(server: PrivateServer, isCopy: boolean): Promise<void> {
  await withClient(server.folder, "postgres", async (client) => {
    for (const setting of OF_RECOVERY) await client.query(`ALTER SYSTEM RESET ${setting}`);
    // Into the repository that it came from only the stack itself may write.
    if (isCopy) await client.query("ALTER SYSTEM SET archive_command = '/bin/true'");
  });
}

async function restorePart(
  { restic }: Agent,
  { target, place, files }: Part,
  report: Report,
): Promise<void> {
  const source = target.files?.source;
  if (files === undefined || source === undefined) return;
  await report.step(target.name, async () => {
    await mkdir(place.new, { recursive: true });
    await restoreFiles({ part: files, source, target: place.new, restic });
  });
}
