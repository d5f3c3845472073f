import type { HostConfig } from "dockerode";

/** What every container that a command starts beside a stack has in common with the stack's own. */
export const HARDENED = {
  Init: true,
  ReadonlyRootfs: true,
  CapDrop: ["ALL"],
  SecurityOpt: ["no-new-privileges:true"],
} as const satisfies Readonly<Record<string, unknown>>;

/** A container's own limits and logs, for another that is to be like it. */
export const limitsOf = (host: HostConfig): HostConfig => ({
  Memory: host.Memory,
  MemorySwap: host.MemorySwap,
  NanoCpus: host.NanoCpus,
  Ulimits: host.Ulimits,
  LogConfig: host.LogConfig,
});
