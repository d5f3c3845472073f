import { readFile } from "node:fs/promises";
import { VARIABLES, type Variable } from "../../config/environment";
import { codeOf, CommandError, messageOf } from "../errors";
import { writeFileAtomically } from "../files";
import type { ClassifiedChange } from "./classify";
import { digest } from "./digest";

/** Of the files that this version writes and reads. */
const FORMAT = 1;

/**
 * What a reviewer has seen and agreed to, and digests of everything that it follows from. There are
 * no values of the configuration or of resources in it, and so no secrets.
 *
 * Pulumi's own update plans are not part of it: where a command's trigger or an image turns out as
 * it was, the engine plans a replacement and does less, and then fails the update for that, after
 * the release went live. So a plan is compared with a preview made right before it is applied.
 */
export interface Plan {
  readonly stack: string;
  /** ISO 8601. */
  readonly savedAt: string;
  /** `user@host`. */
  readonly savedBy: string;
  /** What came before the stack's configuration, such as TAG; "" for what was not set. */
  readonly environment: Readonly<Record<Variable, string>>;
  /** Image of the release that TAG named; absent without a TAG. */
  readonly image?: PlannedImage;
  /** Digest of each value of the configuration, by key. */
  readonly config: Readonly<Record<string, string>>;
  /** Digest of the state that the changes start from. */
  readonly state: string;
  /** Digest of the compiled program and commands. */
  readonly program: string;
  readonly changes: readonly ClassifiedChange[];
}

/** The content that a tag stood for. */
export interface PlannedImage {
  readonly reference: string;
  /** `sha256:…` */
  readonly id: string;
}

/** A file that is not a plan, or no longer the one that was saved. */
export class PlanFileError extends CommandError {
  constructor(file: string, reason: string) {
    super(
      `${file} is not a plan that can be applied: ${reason}. Nothing was changed.`,
      `Save a new one: ./mlops preview --save-plan ${file}`,
    );
  }
}

/** Writes a plan, readable by its owner only, whole or not at all. */
export async function savePlan(file: string, plan: Plan): Promise<void> {
  const content = { format: FORMAT, digest: digest(plan), plan };
  await writeFileAtomically(file, `${JSON.stringify(content, undefined, 2)}\n`, 0o600);
}

/**
 * Reads a plan.
 *
 * @throws PlanFileError when it cannot be read, or is not as it was saved.
 */
export async function loadPlan(file: string): Promise<Plan> {
  const text = await readFile(file, "utf8").catch((error: unknown) => {
    throw new PlanFileError(
      file,
      codeOf(error) === "ENOENT" ? "there is no such file" : messageOf(error),
    );
  });
  const content = parse(file, text);
  if (content.format !== FORMAT)
    throw new PlanFileError(file, "it was not made by this version of the commands");
  if (content.plan === undefined || digest(content.plan) !== content.digest)
    throw new PlanFileError(file, "it was changed after it was saved, or is damaged");
  return content.plan;
}

interface PlanFile {
  readonly format?: number;
  readonly digest?: string;
  readonly plan?: Plan;
}

function parse(file: string, text: string): PlanFile {
  try {
    const content: unknown = JSON.parse(text);
    if (typeof content === "object" && content !== null) return content;
  } catch {
    // Said below.
  }
  throw new PlanFileError(file, "it is damaged");
}

/** The variables of a plan, from an environment. */
export function plannedEnvironment(
  environment: Readonly<Record<string, string | undefined>>,
): Plan["environment"] {
  const pairs = VARIABLES.map((name) => [name, environment[name] ?? ""] as const);
  return Object.fromEntries(pairs) as Plan["environment"];
}
