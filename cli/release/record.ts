import type Docker from "dockerode";
import type { Passage } from "../../components/ledger";
import { holdRelease } from "./hold";
import type { RecordInput } from "./input";

/** So many are remembered: what a command prints has to fit into an environment variable. */
const REMEMBERED = 100;

/** Adds a release that went live to those before it, and keeps its image. */
export async function recordPassage(
  docker: Docker,
  input: RecordInput,
  earlier: readonly Passage[],
): Promise<readonly Passage[]> {
  await holdRelease(docker, input.stack, input.tag, input.image);
  const passage: Passage = {
    attempt: input.attempt,
    finishedAt: new Date().toISOString(),
    seconds: {
      migrate: input.migrationSeconds,
      ...input.gate.seconds,
      ...input.switch.seconds,
      ...input.drain.seconds,
    },
    gate: input.gate.gate,
    model: input.gate.model,
    config: input.config,
  };
  return [...earlier, passage].slice(-REMEMBERED);
}
