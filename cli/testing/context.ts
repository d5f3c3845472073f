import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestContext } from "node:test";
import type { Context } from "../context";
import { Terminal, type Output } from "../terminal";

/** A folder of its own for a test, removed after it. */
export async function temporaryFolder(test: TestContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "mlops-test-"));
  test.after(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

/** A context whose folders are a test's own, and what was written to its outputs. */
export interface TestBed {
  readonly context: Context;
  readonly stdout: () => string;
  readonly stderr: () => string;
}

/**
 * Makes a {@link TestBed} with `root`, `cache` and `.mlops` in a temporary folder.
 *
 * @param env the caller's environment. @default this process's
 * @param isTTY whether the outputs are terminals. @default false
 */
export async function testBed(
  test: TestContext,
  env: NodeJS.ProcessEnv = process.env,
  isTTY = false,
): Promise<TestBed> {
  const root = await temporaryFolder(test);
  const [stdout, stderr] = [new Recorder(isTTY), new Recorder(isTTY)];
  return {
    context: {
      root,
      cacheDir: join(root, "cache"),
      stateDir: join(root, ".mlops"),
      env,
      terminal: new Terminal(stdout, stderr, env),
    },
    stdout: () => stdout.text,
    stderr: () => stderr.text,
  };
}

class Recorder implements Output {
  text = "";

  constructor(readonly isTTY: boolean) {}

  write(chunk: string | Uint8Array): boolean {
    this.text += chunk.toString();
    return true;
  }
}
