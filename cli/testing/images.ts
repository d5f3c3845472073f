import { Readable } from "node:stream";
import { text } from "node:stream/consumers";
import { randomBytes } from "node:crypto";
import type Docker from "dockerode";

/** Two zero blocks are a TAR archive without a file. */
const EMPTY_ARCHIVE = Buffer.alloc(1024);

/** Makes an image with nothing in it, other than every other one. Returns its ID. */
export async function makeImage(
  docker: Docker,
  labels: Readonly<Record<string, string>>,
  ...names: readonly string[]
): Promise<string> {
  const all = { ...labels, "mlops.test.id": randomBytes(8).toString("hex") };
  const changes = Object.entries(all).map(([key, value]) => `LABEL ${key}="${value}"`);
  const answer = await docker.importImage(Readable.from([EMPTY_ARCHIVE]), { changes });
  const id = /sha256:[0-9a-f]{64}/.exec(await text(answer))?.[0];
  if (id === undefined) throw new Error("The Docker daemon did not name the image it made.");
  for (const name of names) await nameImage(docker, id, name);
  return id;
}

/** Gives an image one more name. */
export async function nameImage(docker: Docker, id: string, name: string): Promise<void> {
  const colon = name.lastIndexOf(":");
  await docker.getImage(id).tag({ repo: name.slice(0, colon), tag: name.slice(colon + 1) });
}

/** Removes images that a test made, whatever names they have by now; those that are gone are fine. */
export async function removeImages(docker: Docker, ids: Iterable<string>): Promise<void> {
  for (const id of ids)
    await docker
      .getImage(id)
      .remove({ force: true })
      .catch((error: unknown) => {
        const gone = error instanceof Error && "statusCode" in error && error.statusCode === 404;
        if (!gone) throw error;
      });
}
