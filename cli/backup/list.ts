import type { Manifest } from "../../backup/manifest";
import type { Run } from "../../backup/runs";
import type { BrokenSet } from "../../backup/sets";
import type { Tools } from "../setup";
import type { Step } from "../step";
import { execAgent } from "./agent";

/** What the agent's `list` answers. */
export interface ListedSets {
  /** Oldest first. */
  readonly sets: readonly Manifest[];
  readonly broken: readonly BrokenSet[];
  /** Name of the newest good set. */
  readonly latest: string | null;
  /** Five cron fields, in UTC; "" is never. */
  readonly schedule: string;
  /** ISO 8601. */
  readonly nextBackup: string | null;
  readonly lastBackup: Run | null;
  /** Of drills, as of backups. */
  readonly drillSchedule: string;
  readonly nextDrill: string | null;
  readonly lastDrill: Run | null;
  /** IDs of restores of which the volumes keep something beside what is live, oldest first. */
  readonly kept: readonly string[];
}

/** The sets of a stack. @throws what `execAgent` throws. */
export async function listSets(
  tools: Pick<Tools, "docker" | "env">,
  stack: string,
  step: Step,
): Promise<ListedSets> {
  return (await execAgent(tools, { stack, args: ["list"] }, step)) as ListedSets;
}
