import { renderTable } from "../table";
import type { Style, Terminal } from "../terminal";
import type { ClassifiedChange } from "./classify";
import { describeImpact, worst, type Impact } from "./impact";

const STYLES: Readonly<Record<Impact, Style>> = {
  "no downtime": "green",
  reload: "green",
  "seconds of downtime": "yellow",
  "touches data": "red",
};

/** One row for each change, the worst last, where a person looks first; then the worst class. */
export function renderChanges(terminal: Terminal, changes: readonly ClassifiedChange[]): string {
  const order = Object.keys(STYLES);
  const rows = [...changes]
    .sort((a, b) => order.indexOf(a.impact) - order.indexOf(b.impact))
    .map((change) => [
      `${change.operation} ${kindOf(change)} ${change.name}`,
      terminal.style(STYLES[change.impact], describeImpact(change)),
      change.why,
    ]);
  const head = ["CHANGE", "CLASS", "WHAT IS NOTICED"].map((title) => terminal.style("bold", title));
  return `${renderTable(head, rows)}\n\n${summarizeImpact(changes)}`;
}

/** One line with the worst class, and the services it falls on. */
export function summarizeImpact(changes: readonly ClassifiedChange[]): string {
  const impact = worst(changes);
  const services = new Set(
    changes.filter((change) => change.impact === impact).map(({ service }) => service),
  );
  const named = [...services].filter((service) => service !== undefined).sort();
  return `Worst of ${changes.length} ${changes.length === 1 ? "change" : "changes"}: ${impact}${named.length === 0 ? "" : ` (${named.join(", ")})`}.`;
}

/** The last part of the type, such as `Container`. */
const kindOf = ({ type }: ClassifiedChange): string => type.slice(type.lastIndexOf(":") + 1);
