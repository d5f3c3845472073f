import type { Stack } from "@pulumi/pulumi/automation/index.js";
import { joinLedger, type Attempt, type Passage } from "../../components/ledger";
import type { Context } from "../context";
import type { Tools } from "../setup";
import { keptLedger } from "./kept-ledger";
import { lastGood, readReleases } from "./ledger";

/** What a stack ran whose TAG was not named: a hash of what is in `app/`. */
const CONTENT = /^[0-9a-f]{12}$/;

/** Whether a version of the app is the tag of a release. */
export const isReleaseTag = (version: string): boolean => version !== "" && !CONTENT.test(version);

/**
 * The TAG with which a stack comes up again as it runs, or ran before it was taken down: what the
 * caller names, else that of the release that is live.
 *
 * @returns "" where it runs what is in `app/`.
 */
export async function runningTag(
  context: Context,
  tools: Tools,
  stack: Pick<Stack, "name" | "exportStack">,
): Promise<string> {
  const named = context.env["TAG"] ?? "";
  if (named !== "") return named;
  const releases = await readReleases(tools, stack);
  const known = releases.length > 0 ? releases : await ledgerBeforeDown(context, stack.name);
  const live = lastGood(known)?.tag ?? "";
  return isReleaseTag(live) ? live : "";
}

async function ledgerBeforeDown(
  context: Context,
  stack: string,
): Promise<ReturnType<typeof joinLedger>> {
  return joinLedger(
    (await keptLedger(context, stack, "check")) as Attempt[],
    (await keptLedger(context, stack, "record")) as Passage[],
  );
}
