/** How a class of requests reaches the server. */
export type Connection = "new" | "reused";

/** One of the four classes of requests, or the slow request that spans a switch. */
export interface RequestClass {
  readonly connection: Connection;
  readonly method: "GET" | "POST";
}

/** The classes that every load consists of, in equal shares. */
export const CLASSES: readonly RequestClass[] = [
  { connection: "new", method: "GET" },
  { connection: "reused", method: "GET" },
  { connection: "new", method: "POST" },
  { connection: "reused", method: "POST" },
];

/** What the load is made of; the first line that the generator reads. */
export interface LoadSettings {
  /** Base URL, `http:` or `https:`. */
  readonly url: string;
  /** Certificate to trust instead of the system's, in PEM. @default none */
  readonly ca?: string;
  /** Requests a second, over all classes. */
  readonly rate: number;
  /** Seconds after which a request is given up. */
  readonly timeout: number;
  /** A row of named columns that the model takes; every POST sends it with a marker of its own. */
  readonly row: Readonly<Record<string, unknown>>;
  /**
   * Column that carries the marker: a whole number, another one in every POST, by which its row in
   * the prediction log is found again, and for which no answer can be in the cache.
   */
  readonly markerColumn: string;
  /** Marker of the first POST. */
  readonly firstMarker: number;
}

/** What the generator is told after its settings, one JSON object a line. */
export type LoadCommand =
  /** Send one request that the server answers after so long. */
  | { readonly command: "slow"; readonly seconds: number }
  /** Send nothing more, wait for what is under way, and end. */
  | { readonly command: "stop" };

/** How a request failed. */
export type FailureKind = "refused" | "reset" | "5xx" | "timeout" | "other";

/**
 * One request and its end; a line of the generator's output. Times are milliseconds since the epoch
 * of a clock that does not jump while the process runs.
 */
export interface Sample {
  /** `slow` for the request that was commanded. */
  readonly kind: "load" | "slow";
  readonly connection: Connection;
  readonly method: "GET" | "POST";
  /** When it had to be sent. Latency counts from here, however late the generator was. */
  readonly dueAt: number;
  /** When it was sent. */
  readonly sentAt: number;
  /** When its answer was there, or its failure. */
  readonly endedAt: number;
  /** Of a POST: see {@link LoadSettings.markerColumn}. */
  readonly marker?: number;
  /** Release that answered, where one did. */
  readonly version?: string;
  /** Absent where all was well. */
  readonly failure?: FailureKind;
  /** The failure in words: status code or the system's error. */
  readonly detail?: string;
}

/** Name of a request's class, such as `POST reused`. */
export const classOf = ({ method, connection }: RequestClass): string => `${method} ${connection}`;
