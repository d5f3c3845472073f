import { readFile } from "node:fs/promises";
import { codeOf, CommandError } from "../errors";
import { writeFileAtomically } from "../files";

/** What `bench` and the drills measured, in the project's folder. */
export const MEASUREMENTS = "docs/measurements.md";

/**
 * Replaces what stands between a section's marks in a document, and makes the document if it is not
 * there.
 *
 * @param section name in the marks, such as `bench`.
 * @throws CommandError when the document has no marks.
 */
export async function updateDocument(
  file: string,
  section: string,
  content: string,
): Promise<void> {
  const [startMark, endMark] = [`<!-- ${section}: start -->`, `<!-- ${section}: end -->`];
  const document = await readFile(file, "utf8").catch((error: unknown) => {
    if (codeOf(error) === "ENOENT") return `# Measurements\n\n${startMark}\n${endMark}\n`;
    throw error;
  });
  const start = document.indexOf(startMark);
  const end = document.indexOf(endMark);
  if (start < 0 || end < start)
    throw new CommandError(
      `${file} does not say where the results go.`,
      `Add the two lines ${startMark} and ${endMark} to it.`,
    );
  const before = document.slice(0, start + startMark.length);
  await writeFileAtomically(file, `${before}\n\n${content}\n\n${document.slice(end)}`);
}
