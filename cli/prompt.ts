import { createInterface } from "node:readline";
import type { Terminal } from "./terminal";

/**
 * Asks and reads one line of standard input, be it a terminal or a pipe. The end of the input is an
 * empty answer.
 */
export async function ask(terminal: Terminal, question: string): Promise<string> {
  const [answer = ""] = await askEach(terminal, [question]);
  return answer;
}

/**
 * Asks one question after the other, and reads a line for each. Together, because whoever reads
 * from a pipe has soon read the lines that are meant for the next question.
 */
export async function askEach(
  terminal: Terminal,
  questions: readonly string[],
): Promise<readonly string[]> {
  const input = createInterface({ input: process.stdin });
  const lines = input[Symbol.asyncIterator]();
  const answers: string[] = [];
  try {
    for (const question of questions) {
      terminal.stderr.write(question);
      const line = await lines.next();
      answers.push(line.done === true ? "" : line.value.trim());
    }
    return answers;
  } finally {
    input.close();
  }
}
