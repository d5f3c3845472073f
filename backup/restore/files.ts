import { chmod, chown } from "node:fs/promises";
import { dirname } from "node:path";
import { CommandError } from "../../cli/errors";
import type { FilesPart } from "../manifest";
import type { Restic } from "../restic";

/** Arguments of {@link restoreFiles}. */
export interface FilesRestore {
  readonly part: FilesPart;
  /** Folder that was backed up, such as `/source/mlflow`. */
  readonly source: string;
  /** Existing folder that gets its content, owner and mode. */
  readonly target: string;
  readonly restic: Pick<Restic, "query">;
}

/**
 * Restores a folder with all owners, modes and times, and reads back what was written.
 *
 * @throws CommandError when the snapshot is not the one that the set was made of.
 */
export async function restoreFiles({ part, source, target, restic }: FilesRestore): Promise<void> {
  const { snapshot } = part;
  const { tree } = JSON.parse((await restic.query(["cat", "snapshot", snapshot])).stdout) as {
    readonly tree: string;
  };
  if (tree !== part.tree)
    throw new CommandError(
      `The files of ${source} in the repository are not those of the set: their checksum is ${tree}, and the set says ${part.tree}. What is live was not touched.`,
      "Somebody has changed the repository: choose another set, and look who can write there.",
    );
  await restic.query(["restore", `${snapshot}:${source}`, `--target=${target}`, "--verify"]);
  const { uid, gid, mode } = await nodeOf(restic, snapshot, source);
  await chown(target, uid, gid);
  await chmod(target, mode);
}

/** A folder as it was backed up. */
interface Node {
  readonly path: string;
  readonly uid: number;
  readonly gid: number;
  readonly mode: number;
}

/** Restic restores what is in a folder, not what the folder itself was. */
async function nodeOf(
  restic: Pick<Restic, "query">,
  snapshot: string,
  path: string,
): Promise<Node> {
  const { stdout } = await restic.query(["ls", "--json", snapshot, dirname(path)]);
  const lines = stdout.split("\n");
  const nodes = lines
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line) as Partial<Node>);
  const found = nodes.find((node) => node.path === path) as Node | undefined;
  if (found === undefined) throw new Error(`${path} is not in the snapshot ${snapshot}`);
  // Of Go's mode the last bits are Unix'.
  return { ...found, mode: found.mode & 0o777 };
}
