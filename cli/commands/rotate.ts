import { Argument, Command } from "commander";
import type { Context } from "../context";
import { deploy } from "../deployment";
import { NotDeployedError } from "../errors";
import { toSeconds } from "../format";
import { asItRuns } from "../release/as-it-ran";
import { lastGood, releasesOf } from "../release/ledger";
import { passwordsOf, restartedServices, roleOf, ROTATABLE, type Rotatable } from "../rotation";
import { setUp } from "../setup";
import { openStack } from "../stack";
import { withStackLock } from "../stack-lock";
import { readState } from "../state";
import { allowDataOption, examples, jsonOption, stackOption, yesOption } from "./options";

interface RotateOptions {
  readonly stack: string;
  readonly yes?: true;
  readonly allowData?: true;
  readonly json?: true;
}

/** `./mlops rotate`: new passwords, while everything answers. */
export function rotateCommand(context: Context): Command {
  return new Command("rotate")
    .description(
      "Give a service new passwords, and everything that uses them. The release that is live stays, " +
        "no request is lost, and the old passwords are refused afterwards.",
    )
    .addArgument(new Argument("<service>", "whose passwords").choices(ROTATABLE))
    .addOption(stackOption())
    .addOption(yesOption())
    .addOption(allowDataOption())
    .addOption(jsonOption())
    .addHelpText(
      "after",
      examples("./mlops rotate postgres --stack prod", "./mlops rotate all --stack prod --yes"),
    )
    .action((service: Rotatable, options: RotateOptions) => {
      const retry = `./mlops rotate ${service} --stack ${options.stack}`;
      return withStackLock(context, options.stack, retry, () =>
        rotate(context, service, options, retry),
      );
    });
}

async function rotate(
  context: Context,
  service: Rotatable,
  { stack: name, yes, allowData, json }: RotateOptions,
  retry: string,
): Promise<void> {
  const startedAt = performance.now();
  const tools = await setUp(context, { retry, images: false });
  const stack = await openStack(context, tools, name, false);
  const before = await readState(tools, stack);
  const live = lastGood(releasesOf(before));
  const passwords = passwordsOf(before, service);
  if (live === undefined || passwords.length === 0) throw new NotDeployedError(name);
  await deploy(context, {
    stack: name,
    retry,
    ...asItRuns(context.root, live),
    replace: passwords,
    yes: yes === true,
    allowData: allowData === true,
  });
  const rotated = passwords.map(roleOf).sort();
  const restarted = restartedServices(before, await readState(tools, stack));
  const seconds = toSeconds(performance.now() - startedAt);
  const { terminal } = context;
  if (json === true) {
    terminal.printJson({ stack: name, release: live.tag, rotated, restarted, seconds });
    return;
  }
  terminal.print(`New passwords: ${rotated.join(", ")}.`);
  terminal.print(`Restarted: ${restarted.length === 0 ? "nothing" : restarted.join(", ")}.`);
  terminal.note(`Done in ${seconds} s. ${live.tag} is live as before.`);
}
