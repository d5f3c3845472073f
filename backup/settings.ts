import { readFileSync } from "node:fs";

/** How many sets are kept; the newest good one always is. */
export interface Retention {
  readonly daily: number;
  readonly weekly: number;
  readonly monthly: number;
}

/** What the agent is told by the program, as `/etc/mlops/backup.json`. Nothing in it is secret. */
export interface AgentSettings {
  readonly stack: string;
  /** Five cron fields, in UTC; "" is never. */
  readonly schedule: string;
  /** The same, for drills. */
  readonly drillSchedule: string;
  readonly retention: Retention;
  /** Share of what restic keeps that is read back after each backup, 1 to 100. */
  readonly verifyPercent: number;
}

/** What the program knows of the stack, as `/source/stack/stack.json`. */
export interface StackFacts {
  readonly stack: string;
  /** The app's release. */
  readonly version: string;
  /** Image IDs by service. */
  readonly images: Readonly<Record<string, string>>;
  /** Configuration by key, without what is secret. */
  readonly config: Readonly<Record<string, string>>;
}

/**
 * Places in the agent's containers. One object, so that a test or a restore can have others.
 */
export interface Places {
  readonly settings: string;
  /** Key and configuration of the tools. */
  readonly keys: string;
  readonly secrets: string;
  /** The repository, or its index where that is elsewhere. */
  readonly backup: string;
  readonly source: string;
  readonly scratch: string;
  /** Folder of the server's socket. */
  readonly socket: string;
  readonly pgdata: string;
}

/** Where the component mounts them. */
export const PLACES: Places = {
  settings: "/etc/mlops/backup.json",
  keys: "/run/backup",
  secrets: "/run/secrets",
  backup: "/backup",
  source: "/source",
  scratch: "/scratch",
  socket: "/run/postgresql",
  pgdata: "/var/lib/postgresql/data/pgdata",
};

/** Port of the agent's `/metrics` and `/healthz`. */
export const AGENT_PORT = 9188;

/** The user as whom Postgres' own tools run: the server knows it by its number. */
export const POSTGRES_USER = { uid: 999, gid: 999 } as const;

/** Variable with the settings where no program has written them: for a stack that is down. */
export const SETTINGS_VARIABLE = "BACKUP_SETTINGS";

/** Reads what the program has written for the agent, or who started it has said. */
export function readSettings(places: Places = PLACES): AgentSettings {
  const given = process.env[SETTINGS_VARIABLE];
  return JSON.parse(given ?? readFileSync(places.settings, "utf8")) as AgentSettings;
}

/** What of the configuration the agent is told. */
export const agentSettings = (
  stack: string,
  { schedule, drillSchedule, retention, verifyPercent }: Omit<AgentSettings, "stack">,
): AgentSettings => ({ stack, schedule, drillSchedule, retention, verifyPercent });
