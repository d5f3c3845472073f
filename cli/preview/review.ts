import type { PreviewOptions } from "@pulumi/pulumi/automation/index.js";
import { CommandError } from "../errors";
import { ask } from "../prompt";
import { summarize } from "../summary";
import { renderChanges } from "./changes-table";
import { requireAllowedDataChanges } from "./data-changes";
import type { Plan } from "./plan";
import { checkPlan, type PlanSubject } from "./plan-check";
import { previewChanges, type PreviewedChanges } from "./preview-changes";

/** How {@link reviewChanges} looks at a deployment. */
export interface ReviewRequest {
  /** Command that does it again. */
  readonly retry: string;
  /** Plan that the deployment has to keep to. @default none */
  readonly plan?: Plan;
  /** Whether data may be touched where the stack protects it. */
  readonly allowData: boolean;
  /** Whether a person is asked before something that exists is replaced or deleted. */
  readonly confirm: boolean;
  /** Further options for Pulumi, such as `configFile`. @default none */
  readonly options?: Pick<PreviewOptions, "configFile">;
}

/**
 * Looks at what a deployment is about to change, and stops it where nobody agreed to that. Belongs
 * right before the deployment, under the stack's lock, after anything that may change the state.
 * Previews only where there is something to decide.
 *
 * @throws PlanOutdatedError, DataChangesError, or CommandError when the person says no.
 */
export async function reviewChanges(subject: PlanSubject, request: ReviewRequest): Promise<void> {
  const { context, tools, stack, config } = subject;
  const { retry, plan, allowData } = request;
  const guardsData = config.data.protect && !allowData;
  // What is in a plan has been agreed to; that it touches data has to be said here nonetheless.
  const asks = request.confirm && plan === undefined;
  if (plan === undefined && !guardsData && !asks) return;
  const previewed =
    plan === undefined
      ? await previewChanges(context, tools, stack, {
          title: `Looking what changes in ${stack.name}`,
          retry,
          ...(request.options === undefined ? {} : { options: request.options }),
        })
      : await checkPlan(subject, plan, retry);
  requireAllowedDataChanges(config, previewed.changes, allowData);
  if (!asks || !touchesExisting(previewed)) return;
  const { terminal } = context;
  terminal.note(`\n${renderChanges(terminal, previewed.changes)}`);
  terminal.note(`${summarize(previewed.counts, "planned")} ./mlops preview shows each difference.`);
  const answer = await ask(terminal, "Go on? [y/N] ");
  if (!/^y(es)?$/i.test(answer))
    throw new CommandError("Not confirmed; nothing was changed.", `To go on: ${retry} --yes`);
}

/** What is only new needs no question. */
const touchesExisting = ({ counts }: PreviewedChanges): boolean =>
  (counts["replace"] ?? 0) + (counts["delete"] ?? 0) > 0;
