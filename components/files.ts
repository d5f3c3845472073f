import * as command from "@pulumi/command";
import * as docker from "@pulumi/docker";
import * as pulumi from "@pulumi/pulumi";
import { labelList, stackLabels, type StackContext } from "./context";
import type { FilledVolume } from "./spec";

/** Arguments of {@link FilesVolume}. */
export interface FilesVolumeArgs {
  readonly context: StackContext;
  /** Service that reads the files. */
  readonly service: string;
  /** Image ID of a container that can write them: any with `sh` and coreutils. */
  readonly image: pulumi.Input<string>;
  /** `uid:gid` that owns folder and files. */
  readonly user: string;
  /** Content by file name. */
  readonly files: Readonly<Record<string, pulumi.Input<string>>>;
  /**
   * Content by file name, written only where the file does not exist yet: for files that something
   * else owns afterwards. @default none
   */
  readonly initialFiles?: Readonly<Record<string, string>>;
  /** Octal mode of every file. @default "0400" */
  readonly mode?: string;
}

/**
 * A small named volume filled with files before its service starts. It is how configuration and
 * secrets reach containers whose root is read-only, on a local or a remote daemon alike: a one-off
 * container without network gets a script on standard input, so that no content is ever an
 * argument, an environment variable or part of an image.
 */
export class FilesVolume extends pulumi.ComponentResource implements FilledVolume {
  readonly volumeName: pulumi.Output<string>;
  readonly version: pulumi.Output<string>;

  constructor(name: string, args: FilesVolumeArgs, opts?: pulumi.ComponentResourceOptions) {
    super("mlops:storage:FilesVolume", name, {}, opts);
    const volume = new docker.Volume(
      name,
      { name, labels: labelList(stackLabels(args.context, args.service)) },
      // Its name is fixed and its labels never matter enough to empty it under a running reader.
      { parent: this, ignoreChanges: ["labels"] },
    );
    const script = pulumi.secret(
      pulumi.output(args.files).apply((files) =>
        writeScript({
          files,
          initialFiles: args.initialFiles ?? {},
          user: args.user,
          mode: args.mode ?? "0400",
        }),
      ),
    );
    const image = pulumi.output(args.image);
    const write = new command.local.Command(
      `${name}-write`,
      {
        create: pulumi.interpolate`docker run --rm --interactive --network none --user 0:0 --cap-drop ALL --cap-add CHOWN --cap-add DAC_OVERRIDE --cap-add FOWNER --entrypoint sh --volume ${volume.name}:/files ${image} -s`,
        stdin: script,
        triggers: [script],
        logging: command.local.Logging.None,
      },
      { parent: this },
    );
    this.version = write.id;
    this.volumeName = pulumi.all([volume.name, write.id]).apply(([volumeName]) => volumeName);
    this.registerOutputs({ volumeName: this.volumeName, version: this.version });
  }
}

interface WriteScript {
  readonly files: Readonly<Record<string, string>>;
  readonly initialFiles: Readonly<Record<string, string>>;
  readonly user: string;
  readonly mode: string;
}

/**
 * Shell script that writes the files into `/files`, each whole or not at all: under a temporary
 * name first, then renamed. Content travels as base64, so that nothing in it is ever parsed.
 *
 * @throws RangeError for a file name that is not a plain name.
 */
export function writeScript(args: WriteScript): string {
  const lines = ["set -eu", "umask 077", "cd /files", `chown ${args.user} .`, "chmod 0750 ."];
  const write = (name: string, content: string): string[] => {
    if (!/^[A-Za-z0-9_][A-Za-z0-9._-]*$/.test(name))
      throw new RangeError(`"${name}" is not a plain file name`);
    return [
      `base64 -d > .${name}.new <<'END'`,
      ...(Buffer.from(content, "utf8")
        .toString("base64")
        .match(/.{1,76}/g) ?? []),
      "END",
      `chmod ${args.mode} .${name}.new`,
      `chown ${args.user} .${name}.new`,
      `mv -f .${name}.new ${name}`,
    ];
  };
  for (const [name, content] of Object.entries(args.files)) lines.push(...write(name, content));
  for (const [name, content] of Object.entries(args.initialFiles))
    lines.push(`if [ ! -e ${name} ]; then`, ...write(name, content), "fi");
  return [...lines, ""].join("\n");
}
