import { setTimeout as delay } from "node:timers/promises";
import type Docker from "dockerode";
import { statusOf } from "../errors";
import { nameOf, serviceContainers } from "../services";
import { untilIdle } from "./idle";
import type { DrainInput, DrainOutput } from "./input";
import { rounded } from "./seconds";

/**
 * Time for requests that nginx had routed at the moment of the switch to reach their containers:
 * what can come between is its look-up of a name, for which it gives up on a connection after 2 s.
 */
const SETTLE_MS = 2000;

/**
 * Stops the containers that are live no more: each finishes the requests it has, for as long as its
 * grace period. They are left to the deployment to remove.
 */
export async function drain(docker: Docker, input: DrainInput): Promise<DrainOutput> {
  const begun = performance.now();
  const old = (await serviceContainers(docker, input.stack, "app")).filter(
    ({ Id, State }) => State === "running" && !input.containers.includes(Id),
  );
  if (old.length > 0) await delay(SETTLE_MS);
  await Promise.all(
    old.map(async ({ Id }) => {
      await untilIdle(docker, input.stack, Id, input.stopGraceSeconds);
      await stop(docker, Id, input.stopGraceSeconds);
    }),
  );
  return {
    stopped: old.map(nameOf),
    seconds: { drain: rounded((performance.now() - begun) / 1000) },
  };
}

async function stop(docker: Docker, id: string, graceSeconds: number): Promise<void> {
  try {
    await docker.getContainer(id).stop({ t: graceSeconds });
  } catch (error) {
    // 304: it has stopped already; 404: it is gone.
    const status = statusOf(error);
    if (status !== 304 && status !== 404) throw error;
  }
}
