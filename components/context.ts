import type * as pulumi from "@pulumi/pulumi";
import type { NetworkName } from "./spec";

/** What every component of one stack shares. Built once by `Platform`, passed down. */
export interface StackContext {
  /** Stack name, such as `dev`; also the value of the `mlops.stack` label. */
  readonly stack: string;
  /** Start of every name on the Docker host, such as `mlops-dev`. */
  readonly prefix: string;
  /** Docker network names by role. */
  readonly networks: Readonly<Record<NetworkName, pulumi.Input<string>>>;
  /** Address of the host on which ports are published. */
  readonly bindAddress: string;
  /** Log rotation of every container. */
  readonly log: LogRotation;
  /** Whether data volumes refuse to be deleted by Pulumi. */
  readonly protectData: boolean;
}

/** Rotation of a container's own log file on the host. */
export interface LogRotation {
  /** Size at which a file is rotated, in Docker's notation, such as `10m`. */
  readonly maxSize: string;
  /** Number of files kept. */
  readonly maxFiles: number;
}

/** Labels by which the stack's containers, volumes and networks are found. */
export function stackLabels(
  context: Pick<StackContext, "stack">,
  service?: string,
): Record<string, string> {
  const labels: Record<string, string> = { "mlops.stack": context.stack };
  if (service !== undefined) labels["mlops.service"] = service;
  return labels;
}

/** The same labels in the form in which the Docker provider takes them. */
export function labelList(labels: Readonly<Record<string, pulumi.Input<string>>>): {
  label: string;
  value: pulumi.Input<string>;
}[] {
  return Object.entries(labels).map(([label, value]) => ({ label, value }));
}

/**
 * Name of a data volume on the Docker host: it follows from what is kept there alone.
 *
 * @param prefix such as `mlops-dev`.
 * @param purpose what the service keeps there, such as `data`.
 */
export const dataVolumeName = (prefix: string, service: string, purpose: string): string =>
  `${prefix}-${service}-${purpose}`;

/** Labels of a data volume. */
export const dataVolumeLabels = (
  context: Pick<StackContext, "stack">,
  service: string,
): Record<string, string> => ({ ...stackLabels(context, service), "mlops.data": "true" });
