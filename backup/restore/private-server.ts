import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { join } from "node:path";
import { chown, mkdir, rm, writeFile } from "node:fs/promises";
import { runTool } from "../program";
import { POSTGRES_USER } from "../settings";

/** Where Debian puts the server itself. */
const PROGRAMS = "/usr/lib/postgresql/17/bin";

/** Lines of its log that are kept for who asks why it ended. */
const KEPT_LINES = 20;

/** Postgres ended where it should have answered. */
export class ServerEndedError extends Error {
  /** @param log its last lines. */
  constructor(readonly log: readonly string[]) {
    super(`Postgres ended: ${log.filter((line) => /FATAL|PANIC|ERROR/.test(line)).join("; ")}`);
    this.name = new.target.name;
  }
}

/** Arguments of {@link PrivateServer.start}. */
export interface PrivateServerArgs {
  /** Folder of the cluster. */
  readonly data: string;
  /** Folder for its socket, which is made. */
  readonly folder: string;
  /** Told each line of its log. */
  readonly report: (line: string) => void;
}

/**
 * A Postgres on a cluster that nobody else uses: no network, a socket that only Postgres' own user
 * reaches, and nothing that it does is archived. Recovers first if the cluster asks for it.
 */
export class PrivateServer {
  private constructor(
    private readonly process: ChildProcess,
    private readonly data: string,
    private readonly log: readonly string[],
    /** Folder of its socket. */
    readonly folder: string,
  ) {}

  /**
   * Starts it; recovery takes as long as it takes.
   *
   * @throws ServerEndedError when it cannot recover or start.
   */
  static async start({ data, folder, report }: PrivateServerArgs): Promise<PrivateServer> {
    const { uid, gid } = POSTGRES_USER;
    await rm(folder, { recursive: true, force: true });
    await mkdir(folder, { mode: 0o700 });
    // The cluster's own rules may let in nobody who is here. Only root and Postgres' own user come
    // as far as this folder.
    const rules = join(folder, "pg_hba.conf");
    await writeFile(rules, "local all all trust\n");
    for (const path of [folder, rules]) await chown(path, uid, gid);
    const settings = {
      archive_mode: "off",
      hba_file: rules,
      // Else it would refuse what a server with higher limits has written.
      hot_standby: "off",
      lc_messages: "C",
      listen_addresses: "",
      log_destination: "stderr",
      logging_collector: "off",
      unix_socket_directories: folder,
    };
    const args = Object.entries(settings).map(([name, value]) => `--${name}=${value}`);
    const child = spawn(join(PROGRAMS, "postgres"), ["-D", data, ...args], {
      uid,
      gid,
      cwd: folder,
      env: { PATH: process.env["PATH"], LC_ALL: "C.UTF-8" },
      stdio: ["ignore", "ignore", "pipe"],
    });
    const log: string[] = [];
    const lines = createInterface({ input: child.stderr });
    const ready = new Promise<boolean>((resolve, reject) => {
      child.once("error", reject);
      lines.on("line", (line) => {
        log.push(line);
        if (log.length > KEPT_LINES) log.shift();
        report(line);
        if (line.includes("database system is ready to accept connections")) resolve(true);
      });
      lines.once("close", () => {
        resolve(false);
      });
    });
    if (!(await ready)) throw new ServerEndedError(log);
    return new PrivateServer(child, data, log, folder);
  }

  /** Ends it at once; the cluster is of no use afterwards. */
  async kill(): Promise<void> {
    await this.end("immediate");
  }

  /**
   * Stops it as cleanly as for an upgrade: all is in its files, and nothing to recover.
   *
   * @throws ServerEndedError when it fails at that.
   */
  async stop(): Promise<void> {
    // "Fast": clients are sent away.
    await this.end("fast");
    if (this.process.exitCode !== 0) throw new ServerEndedError(this.log);
    await rm(this.folder, { recursive: true, force: true });
  }

  /** Root without the right to send signals to others asks Postgres' own user. */
  private async end(mode: "fast" | "immediate"): Promise<void> {
    if (this.process.exitCode !== null || this.process.signalCode !== null) return;
    const ended = once(this.process, "exit");
    const args = [`--pgdata=${this.data}`, `--mode=${mode}`, "--no-wait", "--silent", "stop"];
    await runTool(join(PROGRAMS, "pg_ctl"), args, { asPostgres: true });
    await ended;
  }
}
