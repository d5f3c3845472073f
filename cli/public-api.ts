import { PassThrough } from "node:stream";
import { text } from "node:stream/consumers";
import type Docker from "dockerode";
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

/** A stack's API as its users reach it: through nginx, at the stack's URL. */
export class PublicApi {
  private constructor(
    /** Base URL. */
    readonly url: string,
    private readonly stack: string,
    private readonly ca: string | undefined,
  ) {}

  /** The API of a deployed stack. */
  static async of(context: Context, tools: Tools, stack: string): Promise<PublicApi> {
    const { url } = await readOutputs(context, tools, stack);
    if (typeof url !== "string") throw new NotDeployedError(stack);
    const ca = url.startsWith("https:") ? await readCertificate(tools.docker, stack) : undefined;
    return new PublicApi(url, stack, ca);
  }

  /**
   * Sends a request.
   *
   * @throws ApiUnreachableError when nothing answers.
   */
  async send(
    path: string,
    request: Pick<HttpRequest, "method" | "body"> = {},
  ): Promise<HttpResponse> {
    try {
      return await send({ ...request, url: this.url + path, ca: this.ca, timeout: TIMEOUT_MS });
    } catch (error) {
      throw new ApiUnreachableError(this.url, this.stack, codeOf(error) ?? messageOf(error));
    }
  }
}

/** The certificate that nginx shows, read from nginx itself: no authority vouches for it. */
async function readCertificate(docker: Docker, stack: string): Promise<string> {
  const [nginx] = await serviceContainers(docker, stack, "nginx");
  if (nginx === undefined) throw new NotDeployedError(stack);
  const execution = await docker.getContainer(nginx.Id).exec({
    // The file holds the key as well, which has no business outside the container.
    Cmd: ["sed", "-n", "/BEGIN CERTIFICATE/,/END CERTIFICATE/p", "/etc/nginx/certs/tls.pem"],
    AttachStdout: true,
    AttachStderr: true,
  });
  const stream = await execution.start({});
  const output = new PassThrough();
  docker.modem.demuxStream(stream, output, output);
  stream.once("end", () => output.end());
  return text(output);
}
