import { setTimeout as delay } from "node:timers/promises";
import type Docker from "dockerode";
import type { ContainerInspectInfo } from "dockerode";
import { execInContainer } from "../container-exec";
import { serviceContainers } from "../services";

const POLL_MS = 250;

/**
 * Waits until a container of the app, to which nothing is sent any more, has answered all that it
 * was sent. A server that is told to stop closes its listener and refuses what still waits there,
 * and under too much load that can be seconds of requests. The question for the number of requests
 * in flight queues up behind them like any other, so its answer counts them all.
 *
 * @param id Docker ID.
 * @param seconds waits no longer.
 */
export async function untilIdle(
  docker: Docker,
  stack: string,
  id: string,
  seconds: number,
): Promise<void> {
  const deadline = Date.now() + seconds * 1000;
  const url = metricsUrl(await docker.getContainer(id).inspect());
  // Asked from nginx' container, which reaches the app's network wherever the Docker host is.
  const [nginx] = await serviceContainers(docker, stack, "nginx");
  if (url === undefined || nginx?.State !== "running") return;
  for (;;) {
    const left = Math.ceil((deadline - Date.now()) / 1000);
    if (left <= 0) return;
    const wget = [..."busybox wget -q -O - -T".split(" "), String(left), url];
    const { exitCode, stdout } = await execInContainer(docker, nginx.Id, wget);
    const count = /^mlops_app_requests_in_flight (\d+)/m.exec(stdout)?.[1];
    // It has ended by itself, or knows no such number.
    if (exitCode !== 0 || count === undefined) return;
    // One is the question itself.
    if (Number(count) <= 1) return;
    await delay(POLL_MS);
  }
}

function metricsUrl({ Config, NetworkSettings }: ContainerInspectInfo): string | undefined {
  const network = Object.entries(NetworkSettings.Networks).find(([name]) =>
    name.endsWith("-application"),
  );
  const port = Config.Env.find((entry) => entry.startsWith("PORT="))?.slice("PORT=".length);
  if (network === undefined || port === undefined) return undefined;
  return `http://${network[1].IPAddress}:${port}/metrics`;
}
