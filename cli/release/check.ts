import { hostname, userInfo } from "node:os";
import type Docker from "dockerode";
import type { Attempt } from "../../components/ledger";
import { inspectImage } from "../images";
import { refuseOtherContent } from "./image";
import type { CheckInput } from "./input";

/** So many are remembered: what a command prints has to fit into an environment variable. */
const REMEMBERED = 200;

/** Adds a release to those that were begun; one and the same tag stays one and the same image. */
export async function checkRelease(
  docker: Docker,
  input: CheckInput,
  earlier: readonly Attempt[],
): Promise<readonly Attempt[]> {
  const { tag, image, named } = input;
  if (named) refuseOtherContent(earlier, tag, image);
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
