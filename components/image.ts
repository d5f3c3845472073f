import * as command from "@pulumi/command";
import * as docker from "@pulumi/docker";
import * as pulumi from "@pulumi/pulumi";
import { buildCommand, CONTENT_LABEL, contextHash, pullCommand } from "./image-build";

/** Where an image comes from: a folder of this project, or a reference that can be pulled. */
export type ImageSource =
  | {
      readonly kind: "build";
      readonly context: string;
      /** Hash of what is in the folder. */
      readonly content: string;
      readonly reference: string;
    }
  | { readonly kind: "reference"; readonly reference: string };

/**
 * Source of a service image.
 *
 * @param context folder with a Dockerfile, relative to the project.
 * @param name repository name of the image that is built from it.
 * @param reference what the stack's config names instead; "" builds the folder.
 */
export function imageSource(context: string, name: string, reference: string): ImageSource {
  if (reference !== "") return { kind: "reference", reference };
  const content = contextHash(context);
  return { kind: "build", context, content, reference: `${name}:${content}` };
}

/** Arguments of {@link Image}. */
export interface ImageArgs {
  readonly source: ImageSource;
}

/**
 * An image on the Docker host. One that is built is tagged with the hash of its build folder, so
 * equal content is built once and shared by all stacks, and changed content is a new image. Images
 * are never deleted by Pulumi: going back to one must always be possible.
 */
export class Image extends pulumi.ComponentResource {
  /** Image ID, `sha256:…`. */
  readonly imageId: pulumi.Output<string>;
  /** Reference such as `mlops-postgres:1f0c…`. */
  readonly reference: string;

  constructor(name: string, args: ImageArgs, opts?: pulumi.ComponentResourceOptions) {
    super("mlops:docker:Image", name, {}, opts);
    const { source } = args;
    this.reference = source.reference;
    const bring =
      source.kind === "build"
        ? new command.local.Command(
            `${name}-build`,
            {
              create: buildCommand({
                context: source.context,
                reference: source.reference,
                labels: { [CONTENT_LABEL]: source.content },
              }),
              environment: { DOCKER_BUILDKIT: "1" },
              triggers: [source.reference],
            },
            { parent: this },
          )
        : // The provider would pull as well, but knows no login except one that is kept in the state.
          new command.local.Command(
            `${name}-pull`,
            { create: pullCommand(source.reference) },
            { parent: this },
          );
    const image = new docker.RemoteImage(
      name,
      { name: source.reference, keepLocally: true },
      // The provider would forget the old image first, and Pulumi then delete all that runs from it.
      { parent: this, dependsOn: [bring], deleteBeforeReplace: false },
    );
    this.imageId = image.imageId;
    this.registerOutputs({ imageId: this.imageId, reference: this.reference });
  }
}
