import { text } from "node:stream/consumers";
import type Docker from "dockerode";
import { demux } from "./demux";

/** How a command inside a container ended. */
export interface ExecResult {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
}

/**
 * Runs a command in a running container, to its end.
 *
 * @param container ID or name.
 * @throws what Docker answers when there is no such container, or it does not run.
 */
export async function execInContainer(
  docker: Docker,
  container: string,
  command: readonly string[],
): Promise<ExecResult> {
  const execution = await docker.getContainer(container).exec({
    Cmd: [...command],
    AttachStdout: true,
    AttachStderr: true,
  });
  const stream = await execution.start({});
  const { stdout, stderr } = demux(docker, stream);
  const [written, complained] = await Promise.all([text(stdout), text(stderr)]);
  const { ExitCode } = await execution.inspect();
  return { exitCode: ExitCode ?? -1, stdout: written, stderr: complained };
}
