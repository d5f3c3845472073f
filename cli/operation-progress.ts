import type { WriteStream } from "node:fs";
import type { EngineEvent, StepEventMetadata } from "@pulumi/pulumi/automation/index.js";
import { ProgressLine, secondsSince } from "./progress-line";
import type { Terminal } from "./terminal";

/** So much of what a resource says has room beside its name. */
const SHOWN_LENGTH = 60;

/** Words for the engine's operations: while they run, and when they are done. */
const VERBS: Readonly<Record<string, readonly [running: string, done: string]>> = {
  create: ["creating", "created"],
  update: ["updating", "updated"],
  delete: ["deleting", "deleted"],
  replace: ["replacing", "replaced"],
  "create-replacement": ["creating new", "created new"],
  "delete-replaced": ["deleting old", "deleted old"],
  read: ["reading", "read"],
  refresh: ["refreshing", "refreshed"],
};

interface Running {
  readonly urn: string;
  readonly text: string;
  readonly startedAt: number;
}

/** The number of resources by what was done to them. */
export type Changes = Readonly<Partial<Record<string, number>>>;

/**
 * Shows a Pulumi operation as it goes: a line for every resource that changed with the seconds it
 * took, and what runs at the moment. Collects what a command needs afterwards.
 */
export class OperationProgress {
  /** Messages of errors, without colours. */
  readonly errors: string[] = [];
  /** Counts by operation, from the engine's own summary. */
  changes: Changes = {};
  /** Outputs of the stack, as far as the engine told them. */
  outputs: Readonly<Record<string, unknown>> = {};

  /** Seconds of every image that was built, by service. */
  readonly builds = new Map<string, number>();

  private readonly running = new Map<string, Running>();
  /** What each resource said last, by URN. */
  private readonly said = new Map<string, string>();

  private line: ProgressLine | undefined;

  /**
   * @param log gets every message.
   * @param showsResources whether resources that are done get a line; a preview only pretends.
   */
  constructor(
    private readonly terminal: Terminal,
    private readonly log: Pick<WriteStream, "write">,
    private readonly showsResources: boolean,
  ) {}

  /** Starts the display. */
  async start(title: string): Promise<void> {
    this.line = await ProgressLine.start(this.terminal, title, () => this.doing());
  }

  /** Takes in one event of the engine. */
  handle(event: EngineEvent): void {
    if (event.resourcePreEvent !== undefined) this.begin(event.resourcePreEvent.metadata);
    if (event.resOutputsEvent !== undefined) this.end(event.resOutputsEvent.metadata);
    if (event.resOpFailedEvent !== undefined) this.fail(event.resOpFailedEvent.metadata);
    if (event.summaryEvent !== undefined) this.changes = event.summaryEvent.resourceChanges;
    if (event.diagnosticEvent !== undefined) {
      const { message, severity, urn } = event.diagnosticEvent;
      this.diagnose(plain(message).trimEnd(), severity, urn);
    }
  }

  /** Ends the display. */
  finish(succeeded: boolean): void {
    this.line?.finish(succeeded);
  }

  private begin(metadata: StepEventMetadata): void {
    const verbs = VERBS[metadata.op];
    if (verbs === undefined || !isShown(metadata)) return;
    const text = `${verbs[0]} ${describe(metadata)}`;
    this.running.set(key(metadata), { urn: metadata.urn, text, startedAt: performance.now() });
  }

  private end(metadata: StepEventMetadata): void {
    if (metadata.type === "pulumi:pulumi:Stack") this.outputs = metadata.new?.outputs ?? {};
    const started = this.running.get(key(metadata));
    this.running.delete(key(metadata));
    const verbs = VERBS[metadata.op];
    if (verbs === undefined || started === undefined || isQuiet(metadata.op)) return;
    if (!this.showsResources) return;
    const service = /-image-(\w+)-build$/.exec(metadata.urn)?.[1];
    if (service !== undefined)
      this.builds.set(service, (performance.now() - started.startedAt) / 1000);
    const seconds = this.terminal.style("dim", `${secondsSince(started.startedAt)} s`);
    this.print(`  ${this.mark(true)} ${verbs[1]} ${describe(metadata)} ${seconds}`);
  }

  private fail(metadata: StepEventMetadata): void {
    const started = this.running.get(key(metadata));
    this.running.delete(key(metadata));
    if (started !== undefined) this.print(`  ${this.mark(false)} failed ${started.text}`);
  }

  private diagnose(message: string, severity: string, urn: string | undefined): void {
    // What the SDK says at this level holds inputs and outputs in the clear, secrets among them.
    if (message === "" || severity === "debug") return;
    this.log.write(`${severity}: ${message}\n`);
    const name = urn === undefined || urn === "" ? "" : `${nameOf(urn)}: `;
    if (severity === "error") this.fault(name, message);
    // Plugins of this project's own toolchain are on PATH on purpose.
    else if (severity === "warning" && !/using pulumi-\S+ from \$PATH/.test(message))
      this.print(`  ${this.terminal.style("yellow", "warning")} ${name}${message}`);
    // Plugins' own log lines begin so; what a command prints, such as a build, is worth showing.
    else if (urn !== undefined && !/^\[(DEBUG|INFO)\]/.test(message))
      this.said.set(urn, message.split("\n").at(-1) ?? "");
  }

  /** Keeps what an error says itself, without what the engine and the plugins wrap around it. */
  private fault(name: string, message: string): void {
    // The plugin's own log of the same error, and the engine's closing words.
    if (message.includes("sdk.helper_schema") || message === "update failed") return;
    const said = /the command failed: .*\n\s*stderr:\n([\s\S]*?)(\n\s*stdout:\n[\s\S]*)?$/.exec(
      message,
    );
    if (said?.[1] !== undefined) {
      // A command's own words, in its own lines.
      const lines = said[1]
        .replaceAll(/^\s*error: /gm, "")
        .trimEnd()
        .split("\n");
      this.errors.push(`${name}${lines.join("\n")}`);
      return;
    }
    const causes = message.split("\n").filter((line) => !/occurred:$/.test(line.trim()));
    const text = causes.map((line) => line.replace(/^\s*\*\s*/, "").trim()).join(" ");
    if (text !== "") this.errors.push(`${name}${text}`);
  }

  private mark(good: boolean): string {
    return good ? this.terminal.style("green", "✓") : this.terminal.style("red", "✗");
  }

  /** Writes a line that stays above the one that is drawn anew. */
  private print(text: string): void {
    this.terminal.note(text);
  }

  /** What runs longest is what the rest waits for. */
  private doing(): string {
    const [longest] = this.running.values();
    if (longest === undefined) return "";
    const said = (this.said.get(longest.urn) ?? "").slice(0, SHOWN_LENGTH);
    const others = this.running.size > 1 ? ` (and ${this.running.size - 1} more)` : "";
    return `${longest.text} ${secondsSince(longest.startedAt)} s  ${said}`.trimEnd() + others;
  }
}

/** One resource can be created and deleted in the same run, when it is replaced. */
const key = (metadata: StepEventMetadata): string => `${metadata.op} ${metadata.urn}`;

/** Components and providers are only brackets around what is really done. */
const isShown = (metadata: StepEventMetadata): boolean =>
  metadata.provider !== "" && !metadata.type.startsWith("pulumi:");

/** Done for every resource, changed or not; or only a bracket around a deletion and a creation. */
const isQuiet = (operation: string): boolean =>
  operation === "refresh" || operation === "read" || operation === "replace";

/** The last part of a URN, the resource's name. */
const nameOf = (urn: string): string => urn.slice(urn.lastIndexOf("::") + 2);

/** Such as `Container mlops-dev-redis`. */
function describe(metadata: StepEventMetadata): string {
  const type = metadata.type.slice(metadata.type.lastIndexOf(":") + 1);
  return `${type} ${nameOf(metadata.urn)}`;
}

/** Takes out the engine's colour marks, such as `<{%fg 1%}>`. */
const plain = (text: string): string => text.replace(/<\{%.*?%\}>/g, "");
