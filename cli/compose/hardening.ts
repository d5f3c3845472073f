import type { ContainerInspectInfo } from "dockerode";

/** User, limits and restrictions of a container of the stack, in Compose's words. */
export function hardening({ Config, HostConfig }: ContainerInspectInfo): object {
  return {
    user: Config.User,
    tmpfs: Object.entries((HostConfig.Tmpfs ?? {}) as Record<string, string>).map(
      ([path, options]) => `${path}:${options}`,
    ),
    read_only: true,
    init: true,
    restart: "unless-stopped",
    cap_drop: ["ALL"],
    security_opt: ["no-new-privileges:true"],
    mem_limit: HostConfig.Memory,
    memswap_limit: HostConfig.MemorySwap,
  };
}
