/** Ends of the names of the commands that make a release, in their order. */
export const RELEASE_COMMANDS = {
  check: "release-check",
  gate: "release-gate",
  switch: "release-switch",
  drain: "release-drain",
  record: "release-record",
} as const;

/** A release that was begun, as `release-check` remembers it. */
export interface Attempt {
  /** Counts up, from 1. */
  readonly id: number;
  /** Image tag; where none was named, the hash of what is in `app/`. */
  readonly tag: string;
  /** Image ID, `sha256:…`. */
  readonly image: string;
  /** Commit that the image was built from; undefined where its labels do not tell. */
  readonly commit?: string;
  /** ISO 8601. */
  readonly startedAt: string;
  /** `user@host` of who deployed. */
  readonly by: string;
}

/** What a release showed before and after it went live, as `release-record` remembers it. */
export interface Passage {
  /** {@link Attempt.id} of the release. */
  readonly attempt: number;
  /** ISO 8601. */
  readonly finishedAt: string;
  /** Seconds by step, such as `gate`; steps that had nothing to do are left out. */
  readonly seconds: Readonly<Record<string, number>>;
  readonly gate: GateResult;
  /** The model version that answered at the gate; null where the registry had none yet. */
  readonly model: ServedModel | null;
  /** The app's configuration, by key without the namespace. Never holds a secret in the clear. */
  readonly config: Readonly<Record<string, string>>;
}

/** What the gate asked. */
export interface GateResult {
  /** Fresh requests that the new version answered. */
  readonly probes: number;
  /** `passed`, or why there was nothing to compare with. */
  readonly golden: string;
}

/** A registered model version. */
export interface ServedModel {
  readonly name: string;
  readonly version: string;
}

/** A row of the ledger. */
export interface Release extends Omit<Attempt, "id"> {
  /** Whether it passed its gate and went live. Only such a release can be gone back to. */
  readonly passed: boolean;
  readonly finishedAt?: string;
  readonly seconds?: Passage["seconds"];
  readonly gate?: GateResult;
  readonly model?: ServedModel | null;
  readonly config?: Passage["config"];
}

/**
 * Joins what was begun with what went live. An attempt that went live more than once, with other
 * configuration, has a row for each time.
 *
 * @returns newest first.
 */
export function joinLedger(
  attempts: readonly Attempt[],
  passages: readonly Passage[],
): readonly Release[] {
  const rows = attempts.flatMap(({ id, ...attempt }): Release[] => {
    const passed = passages.filter((passage) => passage.attempt === id);
    if (passed.length === 0) return [{ ...attempt, passed: false }];
    return passed.map(({ finishedAt, seconds, gate, model, config }) => ({
      ...attempt,
      ...{ finishedAt, seconds, gate, model, config },
      passed: true,
    }));
  });
  const time = (row: Release): string => row.finishedAt ?? row.startedAt;
  return rows.sort((a, b) => (time(a) < time(b) ? 1 : -1));
}
