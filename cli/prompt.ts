import { createInterface } from "node:readline";
import type { Terminal } from "./terminal";

/**
 * Asks and reads one line of standard input, be it a terminal or a pipe. The end of the input is an
 * empty answer.
 */
export async function ask(terminal: Terminal, question: string): Promise<string> {
  terminal.stderr.write(question);
  const input = createInterface({ input: process.stdin });
  try {
    for await (const line of input) return line.trim();
    return "";
  } finally {
    input.close();
  }
}
