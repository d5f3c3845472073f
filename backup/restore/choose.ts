import { CommandError } from "../../cli/errors";
import { MANIFEST_FORMAT, type Manifest, type PostgresPart } from "../manifest";
import type { BrokenSet } from "../sets";

/** Which state of the data is wanted. */
export type Wish =
  /** Exactly what a set holds; `latest` is the newest verified one. */
  | { readonly kind: "set"; readonly set: string }
  /** The database as it was at a moment. */
  | { readonly kind: "time"; readonly at: Date }
  /** The database up to the last change that reached the archive. */
  | { readonly kind: "end" };

/** Where the parts of a wished state come from. */
export interface Choice {
  readonly wish: Wish;
  /** Whose copy of the database recovery starts from. */
  readonly base: CompleteManifest;
  /** Whose files are restored: the base's own, or for a moment, of the first set after it. */
  readonly files: CompleteManifest;
}

/** A set with a database in it. */
export type CompleteManifest = Manifest & { readonly postgres: PostgresPart };

/** What may be chosen. */
export interface Rules {
  /** Stack whose sets are wanted. */
  readonly stack: string;
  /** Major version of the Postgres that will run on it, such as `17`. */
  readonly postgresMajor: string;
  /** Whether a set counts that was not verified, or in which services are missing. */
  readonly unverified: boolean;
  readonly now: Date;
}

/** Every set there is, in any order. */
export interface Known {
  readonly sets: readonly Manifest[];
  /** What looks like a set and cannot be read. */
  readonly broken: readonly BrokenSet[];
  /** The newest verified set. */
  readonly latest: string | undefined;
}

/**
 * Chooses sets for a wish.
 *
 * @throws CommandError when there is none, or the one named must not be used; names the way out.
 */
export function choose(known: Known, wish: Wish, rules: Rules): Choice {
  const { sets } = known;
  if (wish.kind === "set") {
    const manifest = named(known, wish.set);
    requireUsable(manifest, rules);
    return { wish: { kind: "set", set: manifest.set }, base: manifest, files: manifest };
  }
  const usable = sets.filter(
    (manifest) => problemOf(manifest, rules) === undefined,
  ) as CompleteManifest[];
  const oldestFirst = usable.sort((a, b) => a.sequence - b.sequence);
  const newest = oldestFirst.at(-1);
  if (newest === undefined) throw noUsableSet(sets, rules);
  if (wish.kind === "end") return { wish, base: newest, files: newest };
  if (wish.at > rules.now)
    throw new CommandError(
      `${wish.at.toISOString()} is in the future; nothing was changed.`,
      "Name a moment that has been, or --end for the last change that was saved.",
    );
  const finished = (manifest: Manifest): Date => new Date(manifest.finishedAt);
  const base = oldestFirst.findLast((manifest) => finished(manifest) <= wish.at);
  if (base === undefined)
    throw new CommandError(
      `No usable set is older than ${wish.at.toISOString()}: the oldest, ${oldestFirst[0]?.set ?? ""}, was finished at ${oldestFirst[0]?.finishedAt ?? ""}. Nothing was changed.`,
      `Restore that set, or a moment after it; ./mlops backups --stack ${rules.stack} lists the sets.`,
    );
  // The files of a set before it would lack what was written in between.
  const files = oldestFirst.find((manifest) => finished(manifest) >= wish.at) ?? newest;
  return { wish, base, files };
}

function named({ sets, broken, latest }: Known, set: string): Manifest {
  const found = sets.find((manifest) => manifest.set === (set === "latest" ? latest : set));
  if (found !== undefined) return found;
  const unreadable = broken.find((item) => item.set === set);
  if (unreadable !== undefined)
    throw new CommandError(
      `The set ${set} cannot be used: ${unreadable.reason}; nothing was changed.`,
      "Choose another set; ./mlops backups lists them.",
    );
  throw new CommandError(
    set === "latest"
      ? "There is no verified set; nothing was changed."
      : `There is no set "${set}"; nothing was changed.`,
    sets.length === 0
      ? "The repository holds none: make one with ./mlops backup, or correct backupRepository."
      : `The newest are: ${newestNames(sets)}. ./mlops backups lists all.`,
  );
}

const newestNames = (sets: readonly Manifest[]): string =>
  [...sets]
    .sort((a, b) => b.sequence - a.sequence)
    .slice(0, 3)
    .map(({ set }) => set)
    .join(", ");

function requireUsable(manifest: Manifest, rules: Rules): asserts manifest is CompleteManifest {
  const problem = problemOf(manifest, rules);
  if (problem !== undefined)
    throw new CommandError(
      `The set ${manifest.set} ${problem.what}; nothing was changed.`,
      problem.fix,
    );
}

interface Problem {
  readonly what: string;
  readonly fix: string;
}

/** Why a set must not be restored, undefined when it may. */
function problemOf(manifest: Manifest, rules: Rules): Problem | undefined {
  const format: number = manifest.format;
  if (format > MANIFEST_FORMAT)
    return {
      what: `is of a newer format (${format}) than this release can read`,
      fix: `Check out the release that made it (${manifest.version}), and restore with that.`,
    };
  if (manifest.stack !== rules.stack)
    return {
      what: `is of stack "${manifest.stack}", not of "${rules.stack}"`,
      fix: `To look at it beside: ./mlops restore ${manifest.set} --stack ${manifest.stack} --into NEWSTACK`,
    };
  if (manifest.postgres === null)
    return {
      what: `has no database in it (${manifest.problems.join("; ")})`,
      fix: "Choose another set.",
    };
  const major = manifest.postgres.version.split(".")[0] ?? "";
  if (major !== rules.postgresMajor)
    return {
      what: `holds a database of Postgres ${major}, and this stack runs Postgres ${rules.postgresMajor}`,
      fix: `Set postgresImage to Postgres ${major} and restore then; upgrade the database afterwards.`,
    };
  if (!rules.unverified && (!manifest.verified || !manifest.complete))
    return {
      what: `is not verified (${manifest.problems.join("; ") || "its verification failed"})`,
      fix: "Choose a verified set, or accept this one with --unverified: what is restored is checked in any case.",
    };
  return undefined;
}

function noUsableSet(sets: readonly Manifest[], rules: Rules): CommandError {
  const newest = [...sets].sort((a, b) => b.sequence - a.sequence)[0];
  const problem = newest === undefined ? undefined : problemOf(newest, rules);
  return new CommandError(
    newest === undefined || problem === undefined
      ? "There is no set to restore from; nothing was changed."
      : `There is no set to restore from: the newest, ${newest.set}, ${problem.what}. Nothing was changed.`,
    problem?.fix ?? "Make one with ./mlops backup, or correct backupRepository.",
  );
}
