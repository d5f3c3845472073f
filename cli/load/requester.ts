import { Agent as HttpAgent, request as requestHttp, type IncomingMessage } from "node:http";
import { Agent as HttpsAgent, request as requestHttps } from "node:https";
import { codeOf, messageOf } from "../errors";
import type { Connection, FailureKind, LoadSettings, Sample } from "./protocol";

/** A request about to be sent. */
export interface LoadRequest {
  readonly kind: "load" | "slow";
  readonly connection: Connection;
  readonly method: "GET" | "POST";
  readonly path: string;
  /** Milliseconds since the epoch. */
  readonly dueAt: number;
  /** Added to the time-out, in seconds: for an answer that takes that long on purpose. @default 0 */
  readonly allowance?: number;
  /** Sent as JSON. @default no body */
  readonly body?: unknown;
  /** @default none */
  readonly marker?: number;
}

/** Answered by the server, or by what stands before it. */
interface Answer {
  readonly status: number;
  readonly body: string;
}

class TimeoutError extends Error {}

/** Milliseconds since the epoch, by a clock that does not jump. */
export const now = (): number => performance.timeOrigin + performance.now();

/**
 * Sends each request exactly once over HTTP/1.1. Node's own client with its agents does that: it
 * never sends again. Clients that repeat a request when a kept-alive connection turns out closed
 * (Go's net/http transport does, and so whatever is built on it) would hide the very failures that
 * are looked for here.
 */
export class Requester {
  private readonly agents: Readonly<Record<Connection, HttpAgent>>;
  private readonly start: typeof requestHttp;

  constructor(private readonly settings: LoadSettings) {
    const secure = settings.url.startsWith("https:");
    const trust = settings.ca === undefined ? {} : { ca: settings.ca };
    this.start = secure ? requestHttps : requestHttp;
    // Without `maxCachedSessions: 0` a new connection would resume the TLS session of another one.
    const fresh = { ...trust, keepAlive: false, maxCachedSessions: 0 };
    // The connection that was idle for longest goes first, so that all stay in use. No limit to
    // their number: a request never waits for another one's connection.
    const kept = { ...trust, keepAlive: true, scheduling: "fifo" } as const;
    this.agents = secure
      ? { new: new HttpsAgent(fresh), reused: new HttpsAgent(kept) }
      : { new: new HttpAgent({ keepAlive: false }), reused: new HttpAgent(kept) };
  }

  /** Sends a request and waits for its end, whatever that is. */
  async send(request: LoadRequest): Promise<Sample> {
    const { kind, connection, method, dueAt, marker } = request;
    const sentAt = now();
    const outcome = await this.exchange(request).then(judge, failed);
    return {
      kind,
      connection,
      method,
      dueAt,
      sentAt,
      endedAt: now(),
      ...(marker === undefined ? {} : { marker }),
      ...outcome,
    };
  }

  /** Closes idle connections. */
  close(): void {
    for (const agent of Object.values(this.agents)) agent.destroy();
  }

  private exchange(request: LoadRequest): Promise<Answer> {
    const { settings } = this;
    const seconds = settings.timeout + (request.allowance ?? 0);
    return new Promise((resolve, reject) => {
      const payload = request.body === undefined ? undefined : JSON.stringify(request.body);
      const outgoing = this.start(settings.url + request.path, {
        method: request.method,
        agent: this.agents[request.connection],
        ...(payload === undefined
          ? {}
          : {
              headers: {
                "content-type": "application/json",
                "content-length": Buffer.byteLength(payload),
              },
            }),
      });
      const timer = setTimeout(() => {
        outgoing.destroy(new TimeoutError(`no answer within ${seconds} s`));
      }, seconds * 1000);
      outgoing.once("close", () => {
        clearTimeout(timer);
      });
      outgoing.once("error", reject);
      outgoing.once("response", (incoming: IncomingMessage) => {
        let body = "";
        incoming.setEncoding("utf8").on("data", (text: string) => (body += text));
        incoming.once("error", reject);
        incoming.once("end", () => {
          resolve({ status: incoming.statusCode ?? 0, body });
        });
      });
      outgoing.end(payload);
    });
  }
}

type Outcome = Pick<Sample, "version" | "failure" | "detail">;

/** A good answer is a 200 that names the release it comes from. */
function judge({ status, body }: Answer): Outcome {
  const version = versionIn(body);
  const named = version === undefined ? {} : { version };
  if (status >= 500) return { ...named, failure: "5xx", detail: String(status) };
  if (status !== 200) return { ...named, failure: "other", detail: String(status) };
  if (version === undefined)
    return { failure: "other", detail: `an answer without a version: ${body.slice(0, 80)}` };
  return named;
}

function versionIn(body: string): string | undefined {
  try {
    const answer: unknown = JSON.parse(body);
    if (typeof answer !== "object" || answer === null || !("version" in answer)) return undefined;
    return typeof answer.version === "string" ? answer.version : undefined;
  } catch {
    return undefined;
  }
}

function failed(error: unknown): Outcome {
  const detail = codeOf(error) ?? messageOf(error);
  return { failure: kindOf(error), detail };
}

function kindOf(error: unknown): FailureKind {
  if (error instanceof TimeoutError) return "timeout";
  switch (codeOf(error)) {
    case "ECONNREFUSED":
      return "refused";
    // What Node says when the other side closes in the middle of a request or an answer.
    case "ECONNRESET":
    case "EPIPE":
      return "reset";
    case "ETIMEDOUT":
      return "timeout";
    default:
      return "other";
  }
}
