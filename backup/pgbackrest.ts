import { createHash } from "node:crypto";
import { join } from "node:path";
import { runTool, type ToolOptions } from "./program";
import type { AgentSettings, Places } from "./settings";
import { WrongKeyError } from "./wrong-key";

/** A backup of the databases, as pgBackRest tells of it. */
export interface PgBackup {
  readonly label: string;
  /** Names that were given to it. */
  readonly annotation?: Readonly<Record<string, string>>;
  readonly lsn: { readonly start: string; readonly stop: string };
  readonly archive: { readonly start: string; readonly stop: string };
  /** Which of the databases that the stanza has had. */
  readonly database: { readonly id: number };
  readonly info: {
    readonly size: number;
    readonly repository: { readonly delta: number; readonly size?: number };
  };
  readonly error?: boolean;
}

/** What a repository has of one cluster. */
export interface Stanza {
  readonly name: string;
  readonly archive: readonly { readonly id: string; readonly database: { readonly id: number } }[];
  readonly backup: readonly PgBackup[];
  readonly db: readonly { readonly version: string; readonly "system-id": number | string }[];
  readonly status: { readonly code: number };
  readonly repo: readonly { readonly status: { readonly message: string } }[];
}

/** Codes of a stanza's status: https://pgbackrest.org/command.html#command-info */
const NO_STANZA = [1, 3];
const UNREADABLE = 99;

/** pgBackRest on one stack's databases; runs as their user. */
export class PgBackrest {
  /** File that says where the repository is, and its key. */
  readonly config: string;
  readonly stanza: string;

  constructor(
    readonly places: Places,
    settings: Pick<AgentSettings, "stack">,
  ) {
    this.config = join(places.keys, "pgbackrest.conf");
    this.stanza = settings.stack;
  }

  /** What Postgres runs for each segment of its write-ahead log. */
  get archiveCommand(): string {
    return `pgbackrest --config=${this.config} --stanza=${this.stanza} archive-push %p`;
  }

  /** @throws ProgramError */
  async run(
    command: string,
    args: readonly string[] = [],
    options: ToolOptions = {},
  ): Promise<string> {
    // The command first: what is no option before it would be taken for the command.
    const line = [
      command,
      `--config=${this.config}`,
      `--stanza=${this.stanza}`,
      "--log-level-console=off",
      "--log-level-stderr=warn",
      ...args,
    ];
    return (await runTool("pgbackrest", line, { asPostgres: true, ...options })).stdout;
  }

  /** Such as `2.55.1`. */
  async version(): Promise<string> {
    const { stdout } = await runTool("pgbackrest", ["version"], { asPostgres: true });
    return stdout.replace(/^pgBackRest\s+/, "").trim();
  }

  /** Makes the repository ready; changes nothing where it is. */
  async createStanza(): Promise<void> {
    await this.run("stanza-create");
  }

  /** Switches the write-ahead log, and waits until the archive has it. */
  async check(): Promise<void> {
    await this.run("check");
  }

  /**
   * Makes a whole backup.
   *
   * @param annotation name that is kept with it.
   */
  async backup(annotation: string): Promise<void> {
    await this.run("backup", ["--type=full", `--annotation=set=${annotation}`]);
  }

  /** All backups, oldest first; none where there is no repository yet. */
  async backups(): Promise<readonly PgBackup[]> {
    return (await this.info())?.backup ?? [];
  }

  /** Version and identity of the cluster that was backed up last; undefined where none was. */
  async cluster(): Promise<{ readonly version: string; readonly systemId: string } | undefined> {
    const db = (await this.info())?.db.at(-1);
    return db === undefined
      ? undefined
      : { version: db.version, systemId: String(db["system-id"]) };
  }

  /**
   * Reads every file of a backup, and compares it with its checksum.
   *
   * @throws Error with what is damaged or missing.
   */
  async verify(label: string): Promise<void> {
    const said = await this.run("verify", [`--set=${label}`, "--output=text", "--verbose"]);
    // It exits with 0 however damaged the repository is.
    const status = /^\s*status:\s*(\w+)/m.exec(said)?.[1];
    if (status !== "ok") throw new Error(said.trim());
  }

  /** Removes one backup. */
  async expire(label: string): Promise<void> {
    await this.run("expire", [`--set=${label}`]);
  }

  /** SHA-256 of a file in the repository, decrypted. */
  async sha256(path: string): Promise<string> {
    return createHash("sha256")
      .update(await this.run("repo-get", [path]))
      .digest("hex");
  }

  /**
   * What the repository has of the cluster; undefined where that is nothing.
   *
   * @throws WrongKeyError, or Error where the repository cannot be read.
   */
  async info(): Promise<Stanza | undefined> {
    // What went wrong stands in it with control characters, which JSON does not allow.
    const text = (await this.run("info", ["--output=json"])).replaceAll(/\p{Cc}/gu, " ");
    const [stanza] = JSON.parse(text) as readonly Stanza[];
    if (stanza === undefined || stanza.backup.length > 0) return stanza;
    if (stanza.status.code === UNREADABLE) {
      const reason = stanza.repo.map(({ status }) => status.message).join("; ");
      // With another key it reads other bytes, which now and then even end as they should.
      if (/CryptoError|FormatError/.test(reason))
        throw new WrongKeyError(this.places, "of the databases");
      throw new Error(`the repository of the databases cannot be read: ${reason}`);
    }
    return NO_STANZA.includes(stanza.status.code) ? undefined : stanza;
  }
}
