import { once } from "node:events";
import { request as requestHttp, type IncomingMessage } from "node:http";
import { request as requestHttps } from "node:https";
import { isIP, type LookupFunction } from "node:net";
import { text } from "node:stream/consumers";

/** A request to the stack's public address. */
export interface HttpRequest {
  readonly url: string;
  /** @default "GET" */
  readonly method?: "GET" | "POST";
  /** Sent as JSON. @default no body */
  readonly body?: unknown;
  /** @default none */
  readonly headers?: Readonly<Record<string, string>>;
  /** Address to connect to instead of what the URL's host name resolves to. @default none */
  readonly address?: string | undefined;
  /** Certificate to trust instead of the system's, in PEM. @default none */
  readonly ca?: string | undefined;
  /** Milliseconds until the request is given up. */
  readonly timeout: number;
}

/** What came back. */
export interface HttpResponse {
  readonly status: number;
  readonly body: string;
}

/** Resolves every name to one address, in the shape that Node asks for. */
function fixedLookup(address: string): LookupFunction {
  const family = isIP(address);
  return (_, options, done) => {
    if (options.all === true) done(null, [{ address, family }]);
    else done(null, address, family);
  };
}

/**
 * Sends one request on a connection of its own. Unlike `fetch` it can trust a certificate that is
 * given to it.
 *
 * @throws the system's error, with a `code`, when there is no answer.
 */
export async function send(request: HttpRequest): Promise<HttpResponse> {
  const payload = request.body === undefined ? undefined : JSON.stringify(request.body);
  const start = request.url.startsWith("https:") ? requestHttps : requestHttp;
  const outgoing = start(request.url, {
    method: request.method ?? "GET",
    agent: false,
    signal: AbortSignal.timeout(request.timeout),
    ...(request.ca === undefined ? {} : { ca: request.ca }),
    headers: {
      ...(payload === undefined ? {} : { "content-type": "application/json" }),
      ...request.headers,
    },
    ...(request.address === undefined ? {} : { lookup: fixedLookup(request.address) }),
  });
  outgoing.end(payload);
  const [incoming] = (await once(outgoing, "response")) as [IncomingMessage];
  return { status: incoming.statusCode ?? 0, body: await text(incoming) };
}
