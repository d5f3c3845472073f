import type { DeploymentRequest } from "../deployment";
import type { Release } from "./ledger";

/** What of a deployment makes it run a release with the app's configuration that it ran with. */
export function asItRan({
  tag,
  config = {},
}: Pick<Release, "tag" | "config">): Required<Pick<DeploymentRequest, "env" | "config">> {
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
