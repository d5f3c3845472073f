import * as docker from "@pulumi/docker";
import * as pulumi from "@pulumi/pulumi";
import { dataVolumeLabels, dataVolumeName, labelList, type StackContext } from "./context";

/** Arguments of {@link DataVolume}. */
export interface DataVolumeArgs {
  readonly context: StackContext;
  /** Service that owns the data. */
  readonly service: string;
  /** What the service keeps there, such as `data`: the last part of the volume's name. */
  readonly purpose: string;
}

/**
 * A named volume whose data outlives containers, releases and the stack itself: Pulumi never
 * deletes it from the host (`retainOnDelete`), and where the stack protects its data, refuses to
 * forget it. Deleting the data is a separate act, by name, outside this program.
 *
 * The volume's name on the host follows from stack, service and purpose alone, not from where the
 * component stands in the program: one that is renamed or moved finds its data again. With an alias
 * nothing happens to the volume; without one it is forgotten under its old place and adopted under
 * the new, or, where it is protected, the deployment is refused.
 */
export class DataVolume extends pulumi.ComponentResource {
  /** Name of the volume on the Docker host. */
  readonly volumeName: pulumi.Output<string>;

  constructor(name: string, args: DataVolumeArgs, opts?: pulumi.ComponentResourceOptions) {
    super("mlops:storage:DataVolume", name, {}, opts);
    const volume = new docker.Volume(
      name,
      {
        name: dataVolumeName(args.context.prefix, args.service, args.purpose),
        labels: labelList(dataVolumeLabels(args.context, args.service)),
      },
      {
        parent: this,
        protect: args.context.protectData,
        retainOnDelete: true,
        // A label change must never replace, and so never lose sight of, a volume with data.
        ignoreChanges: ["labels", "driver", "driverOpts"],
      },
    );
    this.volumeName = volume.name;
    this.registerOutputs({ volumeName: this.volumeName });
  }
}
