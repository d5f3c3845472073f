import * as docker from "@pulumi/docker";
import * as pulumi from "@pulumi/pulumi";
import { labelList, stackLabels, type StackContext } from "./context";

/** Arguments of {@link ScratchVolume}. */
export interface ScratchVolumeArgs {
  readonly context: StackContext;
  /** Service that uses it. */
  readonly service: string;
}

/** A volume for what is too large for memory and worth nothing afterwards. */
export class ScratchVolume extends pulumi.ComponentResource {
  /** Name of the volume on the Docker host. */
  readonly volumeName: pulumi.Output<string>;

  constructor(name: string, args: ScratchVolumeArgs, opts?: pulumi.ComponentResourceOptions) {
    super("mlops:storage:ScratchVolume", name, {}, opts);
    const volume = new docker.Volume(
      name,
      { name, labels: labelList(stackLabels(args.context, args.service)) },
      { parent: this, ignoreChanges: ["labels"] },
    );
    this.volumeName = volume.name;
    this.registerOutputs({ volumeName: this.volumeName });
  }
}
