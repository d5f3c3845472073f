import type { Context } from "../context";
import { setUp } from "../setup";
import { runStep } from "../step";
import { renderTable } from "../table";
import type { Terminal } from "../terminal";
import { explained } from "./failure";
import { runJob } from "./job";

/** Options of `./mlops model list`. */
export interface ListOptions {
  readonly stack: string;
  /** Most versions to show. */
  readonly limit: number;
  readonly json?: true;
}

/** A registered version of the stack's model. */
export interface ListedVersion {
  readonly version: string;
  /** When it was registered, ISO 8601. */
  readonly created: string;
  /** What its training measured, 0 to 1; null for a version from elsewhere. */
  readonly score: number | null;
  readonly aliases: readonly string[];
  /** How many copies of the app serve it. */
  readonly served_by: number;
  /** The version that had the alias before it; null where none is recorded. */
  readonly previous: string | null;
}

/** What the registry and the apps say. */
export interface ModelList {
  readonly model: string;
  /** The one whose version the apps serve. */
  readonly alias: string;
  /** Name of the score. */
  readonly metric: string;
  /** How many copies of the app run. */
  readonly replicas: number;
  /** Newest first. */
  readonly versions: readonly ListedVersion[];
}

/** `./mlops model list`: the registered versions, and which of them is served. */
export async function listModels(context: Context, options: ListOptions): Promise<void> {
  const { stack, limit } = options;
  const retry = `./mlops model list --stack ${stack}`;
  const tools = await setUp(context, { retry, images: false });
  const command = ["model", "list", "--limit", String(limit)];
  const request = { stack, task: "model-list", noun: "listing", command, exclusive: false, retry };
  const list = await runStep(
    context,
    { name: "model-list", title: `Reading the models of ${stack}`, retry },
    (step) => explained(context, "model-list", () => runJob<ModelList>(tools, request, step)),
  );
  const { terminal } = context;
  if (options.json) terminal.printJson(list);
  else if (list.versions.length === 0)
    terminal.note(
      `Model ${list.model} has no version yet. Make one: ./mlops train --stack ${stack}`,
    );
  else terminal.print(table(terminal, list));
}

/** One line per version, newest first. */
export function table(terminal: Pick<Terminal, "style">, list: ModelList): string {
  const score = list.metric.replaceAll("_", " ").toUpperCase();
  const head = ["VERSION", "CREATED", score, "ALIASES", "SERVED", "BEFORE IT"];
  return renderTable(
    head.map((title) => terminal.style("bold", title)),
    list.versions.map((item) => [
      item.version,
      item.created.replace("T", " ").replace("+00:00", " UTC"),
      item.score === null ? "" : item.score.toFixed(4),
      item.aliases.join(" "),
      served(item, list.replicas),
      item.previous ?? "",
    ]),
  );
}

function served({ served_by }: ListedVersion, replicas: number): string {
  if (served_by === 0) return "";
  return served_by === replicas ? "yes" : `by ${served_by} of ${replicas}`;
}
