import { cpus, totalmem } from "node:os";
import type Docker from "dockerode";
import type { RecordedDuration } from "../setup/durations";
import { formatBytes, formatDuration } from "../format";
import type { Measurement } from "./measure";

/** Memory of one container after it has settled. */
export interface MemoryUse {
  readonly service: string;
  /** Median of the samples, in bytes. */
  readonly bytes: number;
  /** In bytes. */
  readonly limit: number;
}

/** Everything that one run of the benchmark found. */
export interface BenchResults {
  readonly date: string;
  readonly machine: string;
  readonly runs: number;
  /** A deployed stack in which nothing changes. */
  readonly unchanged: readonly Measurement[];
  /** The same for stacks of different sizes. */
  readonly growth: readonly Measurement[];
  readonly setUp: readonly RecordedDuration[];
  readonly memory: readonly MemoryUse[];
}

/** A table of the results, ready for a terminal or a document. */
export interface ResultTable {
  readonly title: string;
  readonly head: readonly string[];
  readonly rows: readonly (readonly string[])[];
}

/** What the figures were measured on. */
export async function describeMachine(docker: Docker): Promise<string> {
  const { Version } = await docker.version();
  const memory = formatBytes(totalmem());
  return `${cpus().length} CPUs, ${memory}, Docker ${Version}, Node ${process.versions.node}`;
}

/** The results as tables. */
export function tablesOf(results: BenchResults): ResultTable[] {
  const seconds = (measurements: readonly Measurement[]): string[][] =>
    measurements.map(({ name, median, min, max }) => [
      name,
      median.toFixed(2),
      `${min.toFixed(2)} – ${max.toFixed(2)}`,
    ]);
  const head = ["COMMAND", "MEDIAN S", "RANGE S"];
  return [
    {
      title: `Nothing changes: the stack's services, ${results.runs} runs in turn`,
      head,
      rows: seconds(results.unchanged),
    },
    { title: "Nothing changes: by number of services", head, rows: seconds(results.growth) },
    {
      title: "Set-up on this machine, when it last had to be done",
      head: ["STEP", "TIME"],
      rows: results.setUp.map((step) => [step.title, formatDuration(step.seconds)]),
    },
    {
      title: "Memory in use",
      head: ["SERVICE", "IN USE", "LIMIT"],
      rows: results.memory.map((use) => [
        use.service,
        formatBytes(use.bytes),
        formatBytes(use.limit),
      ]),
    },
  ].filter((table) => table.rows.length > 0);
}

/** A table as Markdown, with its title as a heading. */
export function markdownTable({ title, head, rows }: ResultTable): string {
  return [
    `### ${title}`,
    "",
    `| ${head.map((name) => name.toLowerCase()).join(" | ")} |`,
    `| ${head.map(() => "---").join(" | ")} |`,
    ...rows.map((row) => `| ${row.join(" | ")} |`),
  ].join("\n");
}

/** The results as Markdown. */
export function markdownOf(results: BenchResults): string {
  const tables = tablesOf(results).map(markdownTable);
  return [`Measured ${results.date} on ${results.machine}.`, ...tables].join("\n\n");
}
