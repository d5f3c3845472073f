import { setTimeout as delay } from "node:timers/promises";
import type Docker from "dockerode";
import type { CanaryConfig } from "../../config";
import { execInContainer } from "../container-exec";
import { CommandError, NotDeployedError } from "../errors";
import { serviceContainers } from "../services";
import type { SwitchInput } from "./input";
import { Routes } from "./routes";

const LOOK_EVERY_MS = 5000;
/** With fewer answers a single slow or failed one would decide. */
const ENOUGH_ANSWERS = 20;
/** What the app itself and its neighbours ask does not count as traffic. */
const TRAFFIC = 'job="app",route!~"/health.*|/metrics"';
const DURATION = "mlops_app_request_duration_seconds";

/** What Prometheus saw of a set of containers. */
interface Figures {
  readonly answers: number;
  /** Share of answers with a 5xx code, 0 to 1. */
  readonly errorRate: number;
  /** 95th percentile of the response time, in seconds; NaN without answers. */
  readonly p95: number;
}

/**
 * Sends a share of the requests to the new containers and watches how they fare beside those that
 * are live.
 *
 * @param goOn called at every look; throws to end the trial.
 * @throws CommandError as soon as they fail too often, or at the end when they are too slow.
 */
export async function watchCanary(
  docker: Docker,
  input: SwitchInput,
  canary: CanaryConfig,
  goOn: () => void,
): Promise<void> {
  const routes = await Routes.of(docker, input.stack);
  const mine = await instances(docker, input);
  await routes.tryOut(input.generation, canary.percent);
  const begun = Date.now();
  const end = begun + canary.seconds * 1000;
  const say = (text: string): void => {
    process.stderr.write(`canary on ${canary.percent} %: ${text}\n`);
  };
  for (;;) {
    await delay(Math.max(0, Math.min(LOOK_EVERY_MS, end - Date.now())));
    goOn();
    const seconds = Math.ceil((Date.now() - begun) / 1000);
    const tried = await figures(docker, input.stack, `instance=~"${mine}"`, seconds);
    say(
      `${tried.answers} answers, ${percent(tried.errorRate)} failed, after ${seconds} of ${canary.seconds} s`,
    );
    if (tried.answers >= ENOUGH_ANSWERS && tried.errorRate > canary.maxErrorRate)
      throw new CommandError(
        `The canary failed ${percent(tried.errorRate)} of ${tried.answers} requests, more than ${percent(canary.maxErrorRate)} (canaryMaxErrorRate); all requests go to the version before again.`,
        `See ./mlops logs app --stack ${input.stack}.`,
      );
    if (Date.now() < end) continue;
    const live = await figures(docker, input.stack, `instance!~"${mine}"`, seconds);
    if (
      Math.min(tried.answers, live.answers) >= ENOUGH_ANSWERS &&
      tried.p95 > live.p95 * canary.maxLatencyRatio
    )
      throw new CommandError(
        `The canary took ${milliseconds(tried.p95)} (95th percentile of ${tried.answers} requests) where the live version took ${milliseconds(live.p95)}, more than ${canary.maxLatencyRatio} times as long (canaryMaxLatencyRatio); all requests go to the version before again.`,
        "Find out what has become slower, or allow more in the stack's configuration.",
      );
    return;
  }
}

/** The new containers, as Prometheus names them: a pattern of `address:port`. */
async function instances(
  docker: Docker,
  { containers }: Pick<SwitchInput, "containers">,
): Promise<string> {
  const addresses = await Promise.all(
    containers.map(async (id) => {
      const { NetworkSettings } = await docker.getContainer(id).inspect();
      return Object.values(NetworkSettings.Networks).map((network) => network.IPAddress);
    }),
  );
  // Twice escaped: once for the pattern, once for the string that holds it.
  return addresses
    .flat()
    .map((address) => `${address.replaceAll(".", "\\\\.")}:.*`)
    .join("|");
}

async function figures(
  docker: Docker,
  stack: string,
  which: string,
  seconds: number,
): Promise<Figures> {
  // At least two scrapes have to be within the window.
  const window = `[${Math.max(seconds, 15)}s]`;
  const count = (more = ""): string =>
    `sum(increase(${DURATION}_count{${TRAFFIC},${which}${more}}${window})) or vector(0)`;
  const [answers, failed, p95] = await Promise.all([
    query(docker, stack, count()),
    query(docker, stack, count(',code=~"5.."')),
    query(
      docker,
      stack,
      `histogram_quantile(0.95, sum by (le) (rate(${DURATION}_bucket{${TRAFFIC},${which}}${window})))`,
    ),
  ]);
  return { answers: Math.round(answers), errorRate: answers === 0 ? 0 : failed / answers, p95 };
}

/** One number, as Prometheus computes it; NaN where it has none. */
async function query(docker: Docker, stack: string, expression: string): Promise<number> {
  const [prometheus] = await serviceContainers(docker, stack, "prometheus");
  if (prometheus === undefined) throw new NotDeployedError(stack);
  const { exitCode, stdout, stderr } = await execInContainer(docker, prometheus.Id, [
    ..."promtool query instant --format=json http://127.0.0.1:9090".split(" "),
    expression,
  ]);
  if (exitCode !== 0)
    throw new CommandError(
      `Prometheus does not answer, and without it a canary cannot be watched: ${stderr.trim()}.`,
      `See ./mlops logs prometheus --stack ${stack}.`,
    );
  const [sample] = JSON.parse(stdout) as { readonly value: readonly [number, string] }[];
  return Number(sample?.value[1] ?? NaN);
}

const percent = (share: number): string => `${(share * 100).toFixed(1)} %`;
const milliseconds = (seconds: number): string => `${Math.round(seconds * 1000)} ms`;
