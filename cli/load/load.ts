import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { createInterface } from "node:readline";
import type { Readable, Writable } from "node:stream";
import type { LoadCommand, LoadSettings, Sample } from "./protocol";

/** Samples of a load that runs in a process of its own. */
export class Load {
  /** Everything that has ended so far, in the order of its end. */
  readonly samples: Sample[] = [];
  private readonly ended: Promise<void>;
  private failure: Error | undefined;
  private stopping = false;

  private constructor(
    private readonly child: ChildProcess,
    private readonly input: Writable,
    output: Readable,
  ) {
    this.ended = this.read(output);
    // Told by `stop` and `requireRunning`; until then nobody may be listening.
    this.ended.catch(() => undefined);
  }

  /**
   * Starts a load.
   *
   * @param root folder of the project.
   * @param onSample called for every request that has ended. @default nothing
   */
  static start(root: string, settings: LoadSettings): Load {
    const child = spawn(process.execPath, [join(root, "bin", "mlops.cjs"), "drill", "load"], {
      stdio: ["pipe", "pipe", "inherit"],
      // ^C is for the parent, which stops the load when it is time.
      detached: true,
    });
    child.stdin.on("error", () => undefined);
    const load = new Load(child, child.stdin, child.stdout);
    load.write(settings);
    return load;
  }

  /** Sends one request that the server answers after so many seconds. */
  slow(seconds: number): void {
    this.write({ command: "slow", seconds } satisfies LoadCommand);
  }

  /**
   * Sends nothing more and waits for the end of what is under way.
   *
   * @throws Error if the process ended by itself before.
   */
  async stop(): Promise<readonly Sample[]> {
    this.stopping = true;
    this.write({ command: "stop" } satisfies LoadCommand);
    this.input.end();
    await this.ended;
    return this.samples;
  }

  /** @throws Error if the process has ended: a drill must not go on without its load. */
  requireRunning(): void {
    if (this.failure !== undefined) throw this.failure;
  }

  /** Ends it at once. */
  kill(): void {
    this.stopping = true;
    this.child.kill("SIGKILL");
  }

  private write(message: LoadSettings | LoadCommand): void {
    this.input.write(`${JSON.stringify(message)}\n`);
  }

  private async read(output: Readable): Promise<void> {
    const closed = once(this.child, "close") as Promise<[number | null]>;
    for await (const line of createInterface({ input: output }))
      this.samples.push(JSON.parse(line) as Sample);
    const [code] = await closed;
    if (this.stopping && (code === 0 || code === null)) return;
    this.failure = new Error(`the load generator ended by itself with exit code ${code ?? "none"}`);
    throw this.failure;
  }
}
