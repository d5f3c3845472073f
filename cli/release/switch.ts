import type Docker from "dockerode";
import type { CanaryConfig } from "../../config";
import { CommandError, messageOf } from "../errors";
import { watchCanary } from "./canary";
import type { SwitchInput, SwitchOutput } from "./input";
import { probe, publicListener } from "./listener";
import { Routes } from "./routes";
import { rounded } from "./seconds";

/**
 * Makes a generation live, after a trial on a share of the traffic where one is asked for; what
 * answers afterwards must be the new version, else the old one is live again.
 */
export async function makeLive(
  docker: Docker,
  env: Readonly<NodeJS.ProcessEnv>,
  input: SwitchInput,
  canary: CanaryConfig,
): Promise<SwitchOutput> {
  const deployer = process.ppid;
  const begun = performance.now();
  const routes = await Routes.of(docker, input.stack);
  const listener = await publicListener(docker, env, input);
  const from = await routes.live();
  let canarySeconds: number | undefined;
  if (canary.percent > 0 && from !== undefined && from !== input.generation) {
    try {
      await watchCanary(docker, input, canary, () => {
        requireDeployer(deployer);
      });
    } catch (error) {
      await routes.abandonTrial();
      throw error;
    }
    canarySeconds = (performance.now() - begun) / 1000;
  }
  requireDeployer(deployer);
  await routes.switchTo(input.generation);
  try {
    await probe(listener, input, "after the switch");
  } catch (error) {
    await routes.switchTo(from);
    const now = from === undefined ? "Nothing is live" : "The version before is live again";
    throw new CommandError(`${now}. ${messageOf(error)}`, "Nothing else was changed.");
  }
  const at = new Date().toISOString();
  await routes.closeOthers();
  const total = (performance.now() - begun) / 1000;
  return {
    from: from ?? null,
    to: input.generation,
    at,
    seconds:
      canarySeconds === undefined
        ? { switch: rounded(total) }
        : { canary: rounded(canarySeconds), switch: rounded(total - canarySeconds) },
  };
}

/**
 * Whoever outlives the deployment that started it must not switch any more: the next deployment
 * may have begun.
 */
function requireDeployer(pid: number): void {
  if (process.ppid !== pid)
    throw new CommandError("The deployment has ended meanwhile.", "Nothing is switched any more.");
}
