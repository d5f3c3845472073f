import { resolve } from "node:path";
import { runProgram, type Ended } from "../exec";

const ROOT = resolve(__dirname, "..", "..");

/** Runs the commands of this project as a user does, with additions to the environment. */
export function mlops(
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<Ended> {
  const starter = resolve(ROOT, "bin", "mlops.cjs");
  return runProgram(process.execPath, [starter, ...args], { env, reject: false });
}
