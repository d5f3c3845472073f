import { PassThrough, type Readable } from "node:stream";
import type Docker from "dockerode";

/** What a container says, by where it says it. */
export interface Output {
  readonly stdout: Readable;
  readonly stderr: Readable;
}

/** Takes apart the one stream in which Docker hands over a container's output. */
export function demux(docker: Docker, stream: NodeJS.ReadableStream): Output {
  const stdout = new PassThrough();
  const stderr = new PassThrough();
  docker.modem.demuxStream(stream, stdout, stderr);
  stream.once("end", () => {
    stdout.end();
    stderr.end();
  });
  return { stdout, stderr };
}
