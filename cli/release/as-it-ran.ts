import { join } from "node:path";
import { contextHash } from "../../components/image-build";
import type { DeploymentRequest } from "../deployment";
import type { Release } from "./ledger";

/** Folder of the app's image where no release is named. */
const SOURCE_FOLDER = "app";

/** What of a deployment makes it run an earlier release. */
export type Again = Required<Pick<DeploymentRequest, "env" | "config">>;

/** What of a deployment makes it run a release with the app's configuration that it ran with. */
export function asItRan({ tag, config = {} }: Pick<Release, "tag" | "config">): Again {
  return {
    // Variables come before the configuration, so these have to be those of the release too.
    env: {
      TAG: tag,
      CACHE_TTL: config["cacheTtl"] ?? "",
      CACHE_MAX_SIZE: config["cacheMaxSize"] ?? "",
    },
    config,
  };
}

/**
 * The same for the release that is live, so that nothing of it changes: one that was deployed
 * without a TAG is without one again, unless its folder has other content by now.
 *
 * @param root folder of the project.
 */
export function asItRuns(root: string, live: Pick<Release, "tag" | "config">): Again {
  const { env, config } = asItRan(live);
  const isUnnamed = live.tag === contextHash(join(root, SOURCE_FOLDER));
  return { env: isUnnamed ? { ...env, TAG: "" } : env, config };
}
