import type { Stack } from "@pulumi/pulumi/automation/index.js";
import {
  joinLedger,
  RELEASE_COMMANDS,
  type Attempt,
  type Passage,
  type Release,
} from "../../components/ledger";
import type { Tools } from "../setup";
import { readState, type State } from "../state";

export type { Attempt, Passage, Release } from "../../components/ledger";

/** Every release that the stack's state remembers, newest first; empty before the first. */
export async function readReleases(
  tools: Tools,
  stack: Pick<Stack, "name" | "exportStack">,
): Promise<readonly Release[]> {
  return releasesOf(await readState(tools, stack));
}

/** The same, of a state that has been read. */
export function releasesOf(state: State): readonly Release[] {
  return joinLedger(
    printed(state, RELEASE_COMMANDS.check) as Attempt[],
    printed(state, RELEASE_COMMANDS.record) as Passage[],
  );
}

/** The release that is live: the one that passed last. */
export function lastGood(releases: readonly Release[]): Release | undefined {
  return releases.find((release) => release.passed);
}

/** What a command of the release printed: a JSON array. */
export function printed(state: State, name: string): readonly unknown[] {
  const command = state.resources.find(
    ({ type, urn }) => type === "command:local:Command" && urn.endsWith(`-${name}`),
  );
  const stdout = command?.outputs?.["stdout"];
  return typeof stdout === "string" && stdout !== "" ? (JSON.parse(stdout) as unknown[]) : [];
}
