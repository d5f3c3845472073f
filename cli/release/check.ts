import { hostname, userInfo } from "node:os";
import type Docker from "dockerode";
import type { Attempt } from "../../components/ledger";
import { CommandError } from "../errors";
import { inspectImage } from "../images";
import type { CheckInput } from "./input";

/** So many are remembered: what a command prints has to fit into an environment variable. */
const REMEMBERED = 200;

/** Adds a release to those that were begun; one and the same tag stays one and the same image. */
export async function checkRelease(
  docker: Docker,
  input: CheckInput,
  earlier: readonly Attempt[],
): Promise<readonly Attempt[]> {
  const { stack, tag, image, named } = input;
  const other = earlier.find((attempt) => attempt.tag === tag && attempt.image !== image);
  if (named && other !== undefined)
    throw new CommandError(
      `Release ${tag} of stack "${stack}" is image ${other.image} since ${other.startedAt}, and would now be ${image}.`,
      "A release does not change: give the new content a tag of its own.",
    );
  const labels = (await inspectImage(docker, image))?.Config.Labels;
  const commit = labels?.["org.opencontainers.image.revision"];
  const attempt: Attempt = {
    id: (earlier.at(-1)?.id ?? 0) + 1,
    tag,
    image,
    ...(commit === undefined || commit === "" ? {} : { commit }),
    startedAt: new Date().toISOString(),
    by: `${userInfo().username}@${hostname()}`,
  };
  return [...earlier, attempt].slice(-REMEMBERED);
}
