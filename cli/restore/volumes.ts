import { dataVolumeLabels, dataVolumeName } from "../../components/context";
import { TARGETS } from "../../backup/restore/targets";
import type Docker from "dockerode";
import { statusOf } from "../errors";
import { PROJECT } from "../stack";

/** A data volume of a stack that restores fill. */
export interface TargetVolume {
  /** Name of the target, by which the agent knows it. */
  readonly target: string;
  readonly service: string;
  /** Name on the Docker host. */
  readonly volume: string;
}

const nameOf = (stack: string, service: string, purpose: string): string =>
  dataVolumeName(`${PROJECT}-${stack}`, service, purpose);

/** The volumes of a stack that restores fill, whether they are there or not. */
export const targetVolumes = (stack: string): readonly TargetVolume[] =>
  TARGETS.map(({ name, service, purpose }) => ({
    target: name,
    service,
    volume: nameOf(stack, service, purpose),
  }));

/** Volume with the key of a stack's backups. */
export const keyVolume = (stack: string): string => nameOf(stack, "backup", "key");

/** Volume of a stack's repository, or of its index where the repository is elsewhere. */
export const repositoryVolume = (stack: string): string => nameOf(stack, "backup", "repository");

/** Makes the volumes of a stack that a restore is to fill, as its deployment would; those that are there stay. */
export async function createTargetVolumes(docker: Docker, stack: string): Promise<void> {
  for (const { service, volume } of targetVolumes(stack))
    await docker.createVolume({ Name: volume, Labels: dataVolumeLabels({ stack }, service) });
}

/** Of these volumes, those that the Docker host does not have. */
export async function missingVolumes(
  docker: Docker,
  names: readonly string[],
): Promise<readonly string[]> {
  const missing: string[] = [];
  for (const name of names)
    try {
      await docker.getVolume(name).inspect();
    } catch (error) {
      if (statusOf(error) !== 404) throw error;
      missing.push(name);
    }
  return missing;
}
