import { createWriteStream } from "node:fs";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import type { EngineEvent, Stack } from "@pulumi/pulumi/automation/index.js";
import type { Context } from "./context";
import { CommandError } from "./errors";
import { watchForInterruption } from "./interruption";
import { OperationProgress } from "./operation-progress";
import { explain } from "./pulumi-error";
import type { Tools } from "./setup";
import { releaseDeadLocks } from "./state-lock";

/** The user stopped something, and it ended in good order. */
export class InterruptedError extends CommandError {
  constructor(operation: string, retry: string) {
    super(`${operation} was stopped.`, `What had been done is recorded; continue with: ${retry}`);
  }
}

/** A Pulumi operation on a stack. */
export interface OperationRequest {
  /** As the start of a sentence, such as `Deployment`. */
  readonly name: string;
  /** What a person reads while it runs, such as `Deploying dev`. */
  readonly title: string;
  /** Command that does it again. */
  readonly retry: string;
  /** Whether it changes the stack's state, and so needs it to be free. */
  readonly changesState: boolean;
}

/** Options that every operation of the Automation API takes. */
export interface OperationOptions {
  readonly onEvent: (event: EngineEvent) => void;
  readonly onOutput: (text: string) => void;
  readonly onError: (text: string) => void;
  readonly signal: AbortSignal;
  readonly color: "never";
}

/**
 * Runs an operation: frees the stack of locks that killed runs left, shows progress, logs
 * everything, lets Pulumi end in good order when it is interrupted, and explains failures.
 */
export async function runOperation(
  context: Context,
  tools: Tools,
  stack: Pick<Stack, "name">,
  request: OperationRequest,
  run: (options: OperationOptions) => Promise<unknown>,
): Promise<OperationProgress> {
  if (request.changesState) await releaseDeadLocks(context, tools, stack.name);
  const folder = join(context.stateDir, "logs");
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const log = createWriteStream(join(folder, `${request.name.toLowerCase()}-${stack.name}.log`), {
    mode: 0o600,
  });
  const progress = new OperationProgress(context.terminal, log, request.changesState);
  await progress.start(request.title);
  const interruption = watchForInterruption(context.terminal, request.name);
  try {
    await run({
      onEvent: (event) => {
        progress.handle(event);
      },
      onOutput: (text) => log.write(text),
      onError: (text) => log.write(text),
      signal: interruption.signal,
      color: "never",
    });
    progress.finish(true);
    return progress;
  } catch (error) {
    progress.finish(false);
    if (interruption.happened()) throw new InterruptedError(request.name, request.retry);
    throw explain(error, {
      operation: request.name,
      stack: stack.name,
      diagnostics: progress.errors,
      retry: request.retry,
      passphraseSource: tools.passphraseSource,
    });
  } finally {
    interruption.dispose();
    log.end();
  }
}
