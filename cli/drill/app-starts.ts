import { Readable } from "node:stream";
import { createInterface, type Interface } from "node:readline";

import type Docker from "dockerode";

/** A container's way to being healthy, in milliseconds since the epoch. */
interface Start {
  readonly version: string;
  readonly startedAt: number;
  healthyAt?: number;
}

/** The part of one of Docker's events that is of use here. */
interface DockerEvent {
  readonly Action: string;
  readonly Actor: { readonly ID: string; readonly Attributes: Readonly<Record<string, string>> };
  readonly timeNano: number;
}

/** Watches how long the app's containers take to start, by Docker's own events. */
export class AppStarts {
  private readonly starts = new Map<string, Start>();
  private readonly lines: Interface;

  private constructor(private readonly stream: NodeJS.ReadableStream) {
    this.lines = createInterface({ input: stream }).on("line", (line) => {
      this.handle(JSON.parse(line) as DockerEvent);
    });
  }

  /** Starts to watch a stack. */
  static async watch(docker: Docker, stack: string): Promise<AppStarts> {
    const label = [`mlops.stack=${stack}`, "mlops.service=app", "mlops.version"];
    const filters = { type: ["container" as const], label };
    return new AppStarts(await docker.getEvents({ filters }));
  }

  /**
   * Seconds that the slowest container of a release took from its start until it was healthy.
   *
   * @param since only of containers that started later, in milliseconds since the epoch.
   */
  seconds(version: string, since: number): number | undefined {
    const all = [...this.starts.values()].filter(
      (start) => start.version === version && start.startedAt >= since,
    );
    const healthy = all.flatMap(({ startedAt, healthyAt }) =>
      healthyAt === undefined ? [] : [(healthyAt - startedAt) / 1000],
    );
    return healthy.length === 0 ? undefined : Math.max(...healthy);
  }

  /** Watches no more. */
  close(): void {
    this.lines.close();
    if (this.stream instanceof Readable) this.stream.destroy();
  }

  private handle({ Action, Actor, timeNano }: DockerEvent): void {
    const at = timeNano / 1e6;
    const version = Actor.Attributes["mlops.version"];
    if (version === undefined) return;
    if (Action === "start") this.starts.set(Actor.ID, { version, startedAt: at });
    else if (Action === "health_status: healthy") {
      const start = this.starts.get(Actor.ID);
      if (start !== undefined) start.healthyAt ??= at;
    }
  }
}
