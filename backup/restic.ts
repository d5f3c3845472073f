import { readFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { join } from "node:path";
import { ProgramError, runTool, type ToolOptions, type ToolResult } from "./program";
import type { AgentSettings, Places } from "./settings";
import type { Doing } from "./events";
import { WrongKeyError } from "./wrong-key";

/** Where restic's repository is, as the program writes it to `restic.json`. */
export interface ResticSettings {
  /** In restic's own notation. */
  readonly repository: string;
  /** Certificates of the endpoint's authority. @default the system's */
  readonly caFile?: string;
  /** Arguments of ssh. @default none */
  readonly sftpArgs?: string;
}

/** A snapshot, as restic lists it. */
export interface Snapshot {
  readonly id: string;
  /** SHA-256 of the tree of all files. */
  readonly tree: string;
  readonly time: string;
  readonly tags?: readonly string[];
}

/** What restic says of a backup that it made. */
export interface Saved {
  readonly snapshot: string;
  readonly files: number;
  readonly bytes: number;
  readonly addedBytes: number;
}

interface Status {
  readonly message_type: string;
  readonly percent_done?: number;
  readonly snapshot_id?: string;
  readonly total_files_processed?: number;
  readonly total_bytes_processed?: number;
  readonly data_added_packed?: number;
}

/** What `restic check` says of the repository. */
interface Checked {
  readonly message_type: string;
  /** IDs of files whose content is not what it was. */
  readonly broken_packs?: readonly string[] | null;
}

/** Exit codes: https://restic.readthedocs.io/en/stable/075_scripting.html#exit-codes */
const DAMAGED = 1;
const NO_REPOSITORY = 10;
const WRONG_KEY = 12;

/** What lies in a volume but is not the service's data. */
const LEFT_OUT = [".restore", "lost+found"];

/** Under which a set's manifest lies beside what it describes. */
export const MANIFEST_FILE = "manifest.json";
export const MANIFEST_TAG = "part:manifest";

/** restic on the stack's repository. */
export class Restic {
  private readonly settings: ResticSettings;
  private readonly stack: string;

  /** @throws Error when its settings cannot be read. */
  constructor(
    private readonly places: Places,
    settings: Pick<AgentSettings, "stack">,
  ) {
    this.stack = settings.stack;
    this.settings = JSON.parse(
      readFileSync(join(places.keys, "restic.json"), "utf8"),
    ) as ResticSettings;
  }

  /** @throws ProgramError, or WrongKeyError. */
  async run(args: readonly string[], options: ToolOptions = {}): Promise<ToolResult> {
    const { repository, caFile, sftpArgs } = this.settings;
    try {
      return await runTool(
        "restic",
        [
          `--repo=${repository}`,
          `--password-file=${join(this.places.keys, "backup_key")}`,
          "--no-cache",
          ...(caFile === undefined ? [] : [`--cacert=${caFile}`]),
          ...(sftpArgs === undefined ? [] : ["-o", `sftp.args=${sftpArgs}`]),
          ...args,
        ],
        {
          ...options,
          env: {
            AWS_SHARED_CREDENTIALS_FILE: join(this.places.keys, "aws_credentials"),
            ...options.env,
          },
        },
      );
    } catch (error) {
      if (error instanceof ProgramError && error.exitCode === WRONG_KEY)
        throw new WrongKeyError(this.places, repository, { cause: error });
      throw error;
    }
  }

  /**
   * Reads without a lock of restic's: the agent's own locks keep off whoever removes something, and
   * one that a killed restic has left must not stand in the way of a restore.
   *
   * @throws what `run` throws.
   */
  query(args: readonly string[], options: ToolOptions = {}): Promise<ToolResult> {
    return this.run(["--no-lock", ...args], options);
  }

  /** Such as `0.18.0`. */
  async version(): Promise<string> {
    const { stdout } = await runTool("restic", ["version"]);
    return /^restic (\S+)/.exec(stdout)?.[1] ?? stdout;
  }

  /** @throws WrongKeyError, or ProgramError where there is no repository. */
  async open(): Promise<void> {
    await this.query(["cat", "config"]);
  }

  /** Makes the repository where there is none. */
  async ensure(): Promise<void> {
    const { exitCode } = await this.query(["cat", "config"], { accepted: [NO_REPOSITORY] });
    if (exitCode === NO_REPOSITORY) await this.run(["init"]);
  }

  /**
   * Saves folders; those that do not exist are left out.
   *
   * @param paths absolute.
   * @param tags such as `set:20261123T090000Z`.
   * @param anew whether everything is read again, also what has not changed since it was saved.
   */
  async backup(
    paths: readonly string[],
    tags: readonly string[],
    doing: Doing,
    anew = false,
  ): Promise<Saved> {
    let summary: Status | undefined;
    const excludes = paths.flatMap((path) =>
      LEFT_OUT.map((name) => `--exclude=${join(path, name)}`),
    );
    await this.run(
      [
        "backup",
        "--json",
        `--host=${this.stack}`,
        ...(anew ? ["--force"] : []),
        ...tags.map((tag) => `--tag=${tag}`),
        ...excludes,
        ...paths,
      ],
      {
        onLine: (line) => {
          const status = JSON.parse(line) as Status;
          if (status.message_type === "summary") summary = status;
          else if (status.message_type === "status")
            doing(`${Math.floor((status.percent_done ?? 0) * 100)} %`);
        },
      },
    );
    const snapshot = summary?.snapshot_id;
    if (summary === undefined || snapshot === undefined)
      throw new Error("restic ended without a word of what it saved");
    return {
      snapshot,
      files: summary.total_files_processed ?? 0,
      bytes: summary.total_bytes_processed ?? 0,
      addedBytes: summary.data_added_packed ?? 0,
    };
  }

  /** Saves a text as a file of its own; returns the snapshot's ID. */
  async backupText(name: string, text: string, tags: readonly string[]): Promise<string> {
    const { stdout } = await this.run(
      [
        "backup",
        "--json",
        "--quiet",
        `--host=${this.stack}`,
        "--stdin",
        `--stdin-filename=${name}`,
        ...tags.map((tag) => `--tag=${tag}`),
      ],
      { input: text },
    );
    const summary = stdout
      .split("\n")
      .filter((line) => line !== "")
      .map((line) => JSON.parse(line) as Status)
      .find(({ message_type }) => message_type === "summary");
    if (summary?.snapshot_id === undefined)
      throw new Error("restic ended without a word of what it saved");
    return summary.snapshot_id;
  }

  /** The stack's snapshots that have all of the tags, oldest first; none without a repository. */
  async snapshots(tags: readonly string[]): Promise<readonly Snapshot[]> {
    const args = tags.length === 0 ? [] : [`--tag=${tags.join(",")}`];
    const { exitCode, stdout } = await this.query(
      ["snapshots", "--json", `--host=${this.stack}`, ...args],
      { accepted: [NO_REPOSITORY] },
    );
    return exitCode === NO_REPOSITORY
      ? []
      : ((JSON.parse(stdout) as readonly Snapshot[] | null) ?? []);
  }

  /** A file of a snapshot. */
  async read(snapshot: string, path: string): Promise<string> {
    return (await this.query(["dump", snapshot, path])).stdout;
  }

  /** Reads the repository, of what it keeps so many percent, and compares it with its checksums. */
  async check(percent: number): Promise<void> {
    await this.run(["check", `--read-data-subset=${percent}%`]);
  }

  /** Reads everything that a snapshot needs, and compares it with its checksums. */
  async readAll(snapshot: string): Promise<void> {
    await this.query(["dump", "--archive=tar", snapshot, "/"], { discard: true });
  }

  /**
   * Reads everything, and takes what is damaged or missing out of the index, so that the next backup
   * saves it anew; else it would take for granted that the repository has it.
   */
  async repair(): Promise<void> {
    const broken: string[] = [];
    await this.run(["check", "--read-data", "--json"], {
      accepted: [DAMAGED],
      onLine: (line) => {
        const { message_type, broken_packs } = JSON.parse(line) as Checked;
        if (message_type === "summary") broken.push(...(broken_packs ?? []));
      },
    });
    if (broken.length > 0) {
      // restic leaves copies of them where it runs.
      const folder = await mkdtemp(join(this.places.scratch, "repair-"));
      try {
        await this.run(["repair", "packs", ...broken], { cwd: folder });
      } finally {
        await rm(folder, { recursive: true });
      }
    }
    await this.run(["repair", "index"]);
  }

  /** Looks whether the index knows all that a snapshot needs. @throws ProgramError when it does not. */
  async requireWhole(snapshot: string): Promise<void> {
    await this.query(["stats", "--mode=raw-data", snapshot], { discard: true });
  }

  /** Forgets snapshots, and gives back the room that only they took. */
  async forget(ids: readonly string[]): Promise<void> {
    if (ids.length > 0) await this.run(["forget", "--prune", ...ids]);
  }

  /** Releases what a killed restic left; a living one's stays. */
  async unlock(): Promise<void> {
    await this.run(["unlock"]);
  }
}
