import type Docker from "dockerode";
import { execInContainer } from "./container-exec";
import type { Context } from "./context";
import { codeOf, CommandError, messageOf, NotDeployedError } from "./errors";
import { send, type HttpRequest, type HttpResponse } from "./http";
import { serviceContainers } from "./services";
import type { Tools } from "./setup";
import { readOutputs } from "./stack";

const TIMEOUT_MS = 60_000;

/** The API does not answer, or not as an API. */
export class ApiUnreachableError extends CommandError {
  constructor(url: string, stack: string, reason: string) {
    super(
      `The API of stack "${stack}" does not answer at ${url} (${reason}).`,
      `See what is wrong with ./mlops status --stack ${stack} and ./mlops logs nginx app --stack ${stack}.`,
    );
  }
}

/** Where and how a stack's API is reached. */
export interface ApiAccess {
  /** Base URL. */
  readonly url: string;
  readonly stack: string;
  /** Certificate to trust, in PEM. @default the system's */
  readonly ca?: string | undefined;
  /** Address to connect to. @default what the URL's host name resolves to */
  readonly address?: string | undefined;
  /** Headers of every request. @default none */
  readonly headers?: Readonly<Record<string, string>>;
}

/** A stack's API as its users reach it: through nginx, at the stack's URL. */
export class PublicApi {
  constructor(private readonly access: ApiAccess) {}

  /** The API of a deployed stack. */
  static async of(context: Context, tools: Tools, stack: string): Promise<PublicApi> {
    const { url } = await readOutputs(context, tools, stack);
    if (typeof url !== "string") throw new NotDeployedError(stack);
    return PublicApi.at(tools.docker, { url, stack });
  }

  /** The API behind an nginx that runs, trusting the certificate that it shows. */
  static async at(docker: Docker, access: Omit<ApiAccess, "ca">): Promise<PublicApi> {
    const ca = access.url.startsWith("https:")
      ? await readCertificate(docker, access.stack)
      : undefined;
    return new PublicApi({ ...access, ca });
  }

  /** Base URL. */
  get url(): string {
    return this.access.url;
  }

  /** Certificate to trust, in PEM; undefined is the system's. */
  get ca(): string | undefined {
    return this.access.ca;
  }

  /** The same API, asked with further headers. */
  with(headers: Readonly<Record<string, string>>): PublicApi {
    return new PublicApi({ ...this.access, headers: { ...this.access.headers, ...headers } });
  }

  /**
   * Sends a request, on a connection of its own.
   *
   * @throws ApiUnreachableError when nothing answers.
   */
  async send(
    path: string,
    request: Pick<HttpRequest, "method" | "body"> = {},
  ): Promise<HttpResponse> {
    const { url, stack, ca, address, headers = {} } = this.access;
    try {
      return await send({ ...request, url: url + path, ca, address, headers, timeout: TIMEOUT_MS });
    } catch (error) {
      throw new ApiUnreachableError(url, stack, codeOf(error) ?? messageOf(error));
    }
  }
}

/** The certificate that nginx shows, read from nginx itself: no authority vouches for it. */
async function readCertificate(docker: Docker, stack: string): Promise<string> {
  const [nginx] = await serviceContainers(docker, stack, "nginx");
  if (nginx === undefined) throw new NotDeployedError(stack);
  // The file holds the key as well, which has no business outside the container.
  const only = "/BEGIN CERTIFICATE/,/END CERTIFICATE/p";
  const file = "/etc/nginx/certs/tls.pem";
  const { stdout } = await execInContainer(docker, nginx.Id, ["sed", "-n", only, file]);
  return stdout;
}
