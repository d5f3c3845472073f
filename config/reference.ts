import type { KeyDeclaration } from "./project";

/** Lines between which the reference stands in a document. */
export const REFERENCE_MARKS = {
  begin: "<!-- configuration reference: generated from Pulumi.yaml -->",
  end: "<!-- end of configuration reference -->",
} as const;

/** The configuration reference as a Markdown table, one row for each declared key. */
export function renderReference(keys: readonly KeyDeclaration[]): string {
  const rows = keys.map(
    ({ key, type, default: value, description }) =>
      `| \`${key}\` | ${type} | ${value === "" ? "" : `\`${value}\``} | ${description.replaceAll("|", "\\|")} |`,
  );
  return ["| key | type | default | what it is |", "| --- | --- | --- | --- |", ...rows].join("\n");
}

/**
 * The document with its reference brought up to date.
 *
 * @throws Error if the document does not have both marks.
 */
export function withReference(document: string, keys: readonly KeyDeclaration[]): string {
  const { begin, end } = REFERENCE_MARKS;
  const from = document.indexOf(begin);
  const to = document.indexOf(end);
  if (from < 0 || to < from) throw new Error(`The document lacks the lines "${begin}", "${end}".`);
  return `${document.slice(0, from + begin.length)}\n\n${renderReference(keys)}\n\n${document.slice(to)}`;
}
