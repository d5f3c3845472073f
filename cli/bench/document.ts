import { readFile } from "node:fs/promises";
import { codeOf, CommandError } from "../errors";
import { writeFileAtomically } from "../files";

const START = "<!-- bench: start -->";
const END = "<!-- bench: end -->";

/**
 * Replaces what stands between the marks of a document, and makes the document if it is not there.
 *
 * @throws CommandError when the document has no marks.
 */
export async function updateDocument(file: string, content: string): Promise<void> {
  const document = await readFile(file, "utf8").catch((error: unknown) => {
    if (codeOf(error) === "ENOENT") return `# Measurements\n\n${START}\n${END}\n`;
    throw error;
  });
  const start = document.indexOf(START);
  const end = document.indexOf(END);
  if (start < 0 || end < start)
    throw new CommandError(
      `${file} does not say where the results go.`,
      `Add the two lines ${START} and ${END} to it.`,
    );
  const before = document.slice(0, start + START.length);
  await writeFileAtomically(file, `${before}\n\n${content}\n\n${document.slice(end)}`);
}
