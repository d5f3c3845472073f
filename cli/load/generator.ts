import { createInterface } from "node:readline";
import type { Readable, Writable } from "node:stream";
import {
  CLASSES,
  type LoadCommand,
  type LoadSettings,
  type RequestClass,
  type Sample,
} from "./protocol";
import { now, Requester, type LoadRequest } from "./requester";

/** Kept-alive connections that are opened at the start, of each class that keeps them. */
const WARM_CONNECTIONS = 8;

/**
 * An open-loop load: requests are due at fixed times, and a slow answer delays none of them. One that
 * is sent late still counts its latency from when it was due, so that a server that stands still
 * cannot hide it by keeping the client waiting ("coordinated omission").
 */
export class Generator {
  private readonly requester: Requester;
  private readonly underWay = new Set<Promise<void>>();
  private readonly startedAt = now();
  private timer: NodeJS.Timeout | undefined;
  private sent = 0;
  private marker: number;

  /** @param report gets every request that has ended. */
  constructor(
    private readonly settings: LoadSettings,
    private readonly report: (sample: Sample) => void,
  ) {
    this.requester = new Requester(settings);
    this.marker = settings.firstMarker;
  }

  /** Starts to send. */
  start(): void {
    for (const requestClass of CLASSES.filter(({ connection }) => connection === "reused"))
      for (let count = 0; count < WARM_CONNECTIONS; count += 1)
        this.launch(this.request(requestClass, now()));
    this.tick();
  }

  /** Sends one request that the server answers after so many seconds. */
  slow(seconds: number): void {
    this.launch({
      kind: "slow",
      connection: "new",
      method: "GET",
      path: `/drill/slow?seconds=${seconds}`,
      dueAt: now(),
      allowance: seconds,
    });
  }

  /** Sends nothing more, and waits for the end of what is under way. */
  async stop(): Promise<void> {
    clearTimeout(this.timer);
    await Promise.all(this.underWay);
    this.requester.close();
  }

  /** Sends all that is due. */
  private tick(): void {
    for (;;) {
      const dueAt = this.startedAt + (this.sent * 1000) / this.settings.rate;
      const wait = dueAt - now();
      if (wait > 0) {
        this.timer = setTimeout(() => {
          this.tick();
        }, wait);
        return;
      }
      const requestClass = CLASSES[this.sent % CLASSES.length];
      if (requestClass !== undefined) this.launch(this.request(requestClass, dueAt));
      this.sent += 1;
    }
  }

  private request({ connection, method }: RequestClass, dueAt: number): LoadRequest {
    if (method === "GET") return { kind: "load", connection, method, path: "/health/ready", dueAt };
    const marker = this.marker;
    this.marker += 1;
    const { row, markerColumn } = this.settings;
    const body = { rows: [{ ...row, [markerColumn]: marker }] };
    return { kind: "load", connection, method, path: "/predict", dueAt, marker, body };
  }

  private launch(request: LoadRequest): void {
    const ended = this.requester.send(request).then((sample) => {
      this.underWay.delete(ended);
      this.report(sample);
    });
    this.underWay.add(ended);
  }
}

/**
 * The generator as a process of its own, which whatever its parent does cannot delay: settings and
 * commands come in and samples go out, one JSON object a line. Ends when told to, or when nobody is
 * there any more to tell.
 */
export async function serveLoad(input: Readable, output: Writable): Promise<void> {
  let generator: Generator | undefined;
  // Held back and written together: a write for each would take a good part of the time.
  let lines = "";
  const flush = (): void => {
    if (lines !== "") output.write(lines);
    lines = "";
  };
  const flushing = setInterval(flush, 50);
  try {
    for await (const line of createInterface({ input })) {
      if (generator === undefined) {
        generator = new Generator(JSON.parse(line) as LoadSettings, (sample) => {
          lines += `${JSON.stringify(sample)}\n`;
        });
        generator.start();
        continue;
      }
      const command = JSON.parse(line) as LoadCommand;
      if (command.command === "stop") break;
      generator.slow(command.seconds);
    }
    await generator?.stop();
  } finally {
    clearInterval(flushing);
    flush();
  }
}
