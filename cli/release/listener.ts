import type Docker from "dockerode";
import { dockerAddress } from "../docker";
import { CommandError } from "../errors";
import { PublicApi } from "../public-api";
import type { ListenerInput } from "./input";

/** What `/health/startup` answers. */
interface Startup {
  readonly version?: string;
  readonly model?: { readonly name: string; readonly version: string } | null;
}

/**
 * The stack's API at its public listener, reached by address: the host name in its URL may lead
 * elsewhere as yet, or to a proxy in front.
 */
export function publicListener(
  docker: Docker,
  env: Readonly<NodeJS.ProcessEnv>,
  { stack, url, bindAddress }: Pick<ListenerInput, "stack" | "url" | "bindAddress">,
): Promise<PublicApi> {
  return PublicApi.at(docker, { url, stack, address: listenerAddress(env, bindAddress) });
}

/** Where a port published on `bindAddress` of the Docker host is reached from here. */
function listenerAddress(
  env: Readonly<NodeJS.ProcessEnv>,
  bindAddress: string,
): string | undefined {
  const daemon = dockerAddress(env);
  // The name of another host is left to the resolver, as users have it.
  if (!daemon.startsWith("unix:")) return undefined;
  if (bindAddress === "0.0.0.0") return "127.0.0.1";
  return bindAddress === "::" ? "::1" : bindAddress;
}

/**
 * Asks as often as given, each time on a fresh connection, who answers.
 *
 * @returns the model version of the last answer, null where there is none yet.
 * @throws CommandError at the first answer that is not the version's.
 */
export async function probe(
  api: PublicApi,
  input: Pick<ListenerInput, "version" | "probes" | "stack">,
  where: string,
): Promise<Startup["model"]> {
  let model: Startup["model"];
  for (let count = 1; count <= input.probes; count += 1) {
    const { status, body } = await api.send("/health/startup");
    const answer = status === 200 ? parse(body) : undefined;
    if (answer?.version !== input.version)
      throw new CommandError(
        `Request ${count} of ${input.probes} ${where} was answered ${
          answer === undefined
            ? `with status ${status}: ${body.slice(0, 200).trim()}`
            : `by version "${answer.version ?? "unknown"}", not "${input.version}"`
        }.`,
        `The image must answer at /health/startup with the version that it is given as APP_VERSION; see its log: ./mlops logs app --stack ${input.stack}.`,
      );
    ({ model } = answer);
  }
  return model ?? null;
}

function parse(body: string): Startup | undefined {
  try {
    return JSON.parse(body) as Startup;
  } catch {
    return undefined;
  }
}
