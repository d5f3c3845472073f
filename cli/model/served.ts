import { setTimeout as delay } from "node:timers/promises";
import type { PublicApi } from "../public-api";
import type { Step } from "../step";

/** The app looks up the alias every 10 s, and a large model takes a while to load. */
const SERVED_WITHIN_MS = 120_000;
const POLL_MS = 500;
/** So many answers one after the other: behind nginx is more than one app. */
const IN_A_ROW = 5;

/**
 * Waits until the public API answers with a model version, and no more with another.
 *
 * @throws Error when it does not within two minutes.
 */
export async function untilServed(api: PublicApi, version: string, step: Step): Promise<void> {
  step.say(`waiting until version ${version} is served`);
  const deadline = performance.now() + SERVED_WITHIN_MS;
  for (let inARow = 0; inARow < IN_A_ROW;) {
    const served = (await servedVersion(api)) === version;
    inARow = served ? inARow + 1 : 0;
    if (served) continue;
    if (performance.now() > deadline)
      throw new Error(
        `version ${version} is registered, but the API does not serve it after ${SERVED_WITHIN_MS / 1000} s`,
      );
    await delay(POLL_MS);
  }
}

/** Version of the model that answers, undefined when none does. */
async function servedVersion(api: PublicApi): Promise<string | undefined> {
  const { status, body } = await api.send("/health/ready");
  if (status !== 200) return undefined;
  const { model } = JSON.parse(body) as { readonly model?: { readonly version?: string } };
  return model?.version;
}
