import { RELEASE_COMMANDS } from "../../components/ledger";
import type { Sample } from "../load/protocol";
import type { Deployed, PrintedLine } from "./deployer";

/** One change of the release under load. Times are milliseconds since the epoch. */
export interface Switch {
  readonly kind: "deploy" | "rollback";
  /** Version that is live afterwards. */
  readonly to: string;
  readonly startedAt: number;
  /** When the step that switches had ended; whatever is sent later must meet the new version. */
  readonly switchedAt: number;
  /** When the old containers had ended. */
  readonly drainedAt: number;
  readonly endedAt: number;
  /** Seconds of the app's own start, as Docker tells them. */
  readonly appStart: number | undefined;
}

/** Whether a line says that a step of the release has been done. */
export const isDone = ({ text }: PrintedLine, step: keyof typeof RELEASE_COMMANDS): boolean =>
  /^\s*✓/.test(text) && text.includes(`-${RELEASE_COMMANDS[step]} `);

/** What a command that has ended says of its switch. */
export function switchOf(
  kind: Switch["kind"],
  to: string,
  { startedAt, endedAt, lines }: Deployed,
  appStart: number | undefined,
): Switch {
  const done = (step: keyof typeof RELEASE_COMMANDS): number => {
    const line = lines.find((line) => isDone(line, step));
    if (line === undefined)
      throw new Error(`the deployment of ${to} has not said that it did ${step}`);
    return line.at;
  };
  return {
    kind,
    to,
    startedAt,
    switchedAt: done("switch"),
    drainedAt: done("drain"),
    endedAt,
    appStart,
  };
}

/** Seconds of one switch, counted from the command. */
export interface SwitchSeconds {
  readonly appStart: number;
  readonly firstAnswer: number;
  readonly drained: number;
  readonly ended: number;
}

/** How long a switch took; undefined where no request met the new version, or Docker told nothing. */
export function secondsOf(item: Switch, samples: readonly Sample[]): SwitchSeconds | undefined {
  const first = firstAnswer(item, samples);
  if (first === Infinity || item.appStart === undefined) return undefined;
  const since = (at: number): number => (at - item.startedAt) / 1000;
  return {
    appStart: item.appStart,
    firstAnswer: since(first),
    drained: since(item.drainedAt),
    ended: since(item.endedAt),
  };
}

/**
 * Answers of another version than the live one to requests that were sent after a switch was done
 * and before the next deployment began.
 */
export function wrongVersions(
  switches: readonly Switch[],
  samples: readonly Sample[],
): readonly Sample[] {
  return switches.flatMap(({ to, switchedAt }, index) => {
    const until = switches[index + 1]?.startedAt ?? Infinity;
    return samples.filter(
      ({ version, sentAt }) =>
        version !== undefined && version !== to && sentAt > switchedAt && sentAt < until,
    );
  });
}

/** Slow requests that the old version was still answering when the new one had begun to answer. */
export function spanning(
  switches: readonly Switch[],
  samples: readonly Sample[],
): readonly Sample[] {
  const slow = samples.filter(({ kind }) => kind === "slow");
  return switches.flatMap((item) => {
    const first = firstAnswer(item, samples);
    return (
      slow.find(
        ({ sentAt, endedAt, version, failure }) =>
          sentAt > item.startedAt &&
          sentAt < first &&
          endedAt > first &&
          (version !== item.to || failure !== undefined),
      ) ?? []
    );
  });
}

/** When the new version had first answered; Infinity where it never did. */
const firstAnswer = (item: Switch, samples: readonly Sample[]): number =>
  samples
    .filter(({ version, endedAt }) => version === item.to && endedAt > item.startedAt)
    .reduce((earliest, { endedAt }) => Math.min(earliest, endedAt), Infinity);
