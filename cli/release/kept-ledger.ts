import { mkdir, readFile, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import {
  joinLedger,
  RELEASE_COMMANDS,
  type Attempt,
  type Passage,
  type Release,
} from "../../components/ledger";
import type { Context } from "../context";
import { codeOf } from "../errors";
import type { State } from "../state";
import { printed } from "./ledger";

/** The steps that remember. */
type Memory = "check" | "record";

/**
 * Writes the ledger of a stack that is taken down into a file: with the stack its state forgets what
 * its commands printed, and the next deployment goes on from here.
 */
export async function keepLedger(context: Context, stack: string, state: State): Promise<void> {
  const check = printed(state, RELEASE_COMMANDS.check);
  const record = printed(state, RELEASE_COMMANDS.record);
  // Of a stack that is down already there is nothing to remember, and the file has it all.
  if (check.length === 0) return;
  const file = ledgerFile(context, stack);
  await mkdir(dirname(file), { recursive: true });
  await writeFile(file, JSON.stringify({ check, record }));
}

/** What {@link keepLedger} wrote of a step, empty where it wrote nothing. */
export async function keptLedger(
  context: Context,
  stack: string,
  step: Memory,
): Promise<readonly unknown[]> {
  try {
    const kept = JSON.parse(await readFile(ledgerFile(context, stack), "utf8")) as Record<
      Memory,
      unknown[]
    >;
    return kept[step];
  } catch (error) {
    if (codeOf(error) === "ENOENT") return [];
    throw error;
  }
}

/** The releases of a stack that was taken down, newest first; none where it never was. */
export async function releasesBeforeDown(
  context: Context,
  stack: string,
): Promise<readonly Release[]> {
  return joinLedger(
    (await keptLedger(context, stack, "check")) as Attempt[],
    (await keptLedger(context, stack, "record")) as Passage[],
  );
}

const ledgerFile = (context: Context, stack: string): string =>
  join(context.stateDir, "ledgers", `${encodeURIComponent(stack)}.json`);
