import * as command from "@pulumi/command";
import * as docker from "@pulumi/docker";
import * as pulumi from "@pulumi/pulumi";
import { labelList, stackLabels, type StackContext } from "./context";
import type { FilesMount, FilledVolume, HostFolder, VolumeMount } from "./spec";

/** Arguments of {@link FilesVolume}. */
export interface FilesVolumeArgs {
  readonly context: StackContext;
  /** Service that reads the files. */
  readonly service: string;
  /** Image ID of a container that can write them: any with `sh` and coreutils. */
  readonly image: pulumi.Input<string>;
  /** `uid:gid` that owns folder and files. */
  readonly user: string;
  /** Name of a volume that is there already. @default one of its own */
  readonly volume?: pulumi.Input<string>;
  /** Further places that `prepare` writes to. @default none */
  readonly mounts?: readonly (VolumeMount | HostFolder)[];
  /** Content by file name. */
  readonly files: Readonly<Record<string, pulumi.Input<string>>>;
  /**
   * Shell commands for what is not a file of fixed content, run in the folder after the files are
   * written, as root. Must be safe to repeat. @default none
   */
  readonly prepare?: pulumi.Input<string>;
  /** Check of the new files, before they take the place of the old. @default none */
  readonly check?: FilesCheck;
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
  readonly ready: pulumi.Resource;

  constructor(name: string, args: FilesVolumeArgs, opts?: pulumi.ComponentResourceOptions) {
    super("mlops:storage:FilesVolume", name, {}, opts);
    const volume =
      args.volume ??
      new docker.Volume(
        name,
        { name, labels: labelList(stackLabels(args.context, args.service)) },
        // Its name is fixed and its labels never matter enough to empty it under a running reader.
        { parent: this, ignoreChanges: ["labels"] },
      ).name;
    const script = pulumi.secret(
      pulumi.all([args.files, args.prepare ?? ""]).apply(([files, prepare]) =>
        writeScript({
          files,
          prepare,
          check: args.check?.command ?? "",
          user: args.user,
          mode: args.mode ?? "0400",
        }),
      ),
    );
    const image = pulumi.output(args.image);
    const checked = args.check?.mounts ?? [];
    const mounts = pulumi
      .all([...checked.map(volumeFlag), ...(args.mounts ?? []).map(writableFlag)])
      .apply((flags) => flags.join(""));
    const write = new command.local.Command(
      `${name}-write`,
      {
        create: pulumi.interpolate`docker run --rm --interactive --network none --user 0:0 --cap-drop ALL --cap-add CHOWN --cap-add DAC_OVERRIDE --cap-add FOWNER --entrypoint sh --volume ${volume}:/files${mounts} ${image} -s`,
        stdin: script,
        triggers: [script],
        // What a script complains of must be seen; nothing else here writes more than its failure.
        logging:
          args.check === undefined && args.prepare === undefined
            ? command.local.Logging.None
            : command.local.Logging.Stderr,
      },
      { parent: this, dependsOn: checked.map((mount) => mount.volume.ready) },
    );
    this.version = write.id;
    this.volumeName = pulumi.output(volume);
    this.ready = write;
    this.registerOutputs({ volumeName: this.volumeName, version: this.version });
  }
}

const volumeFlag = ({ volume, path }: FilesMount): pulumi.Output<string> =>
  pulumi.interpolate` --volume ${volume.volumeName}:${path}:ro`;

const writableFlag = (mount: VolumeMount | HostFolder): pulumi.Output<string> =>
  pulumi.interpolate` --volume ${"volume" in mount ? mount.volume : mount.source}:${mount.path}`;

/** How new files are looked at by the program that will read them. */
export interface FilesCheck {
  /** Shell commands; each new file is in the folder as `.NAME.new`. A failure keeps the old files. */
  readonly command: string;
  /** What the check needs beside the files. @default none */
  readonly mounts?: readonly FilesMount[];
}

interface WriteScript {
  readonly files: Readonly<Record<string, string>>;
  readonly prepare: string;
  readonly check: string;
  readonly user: string;
  readonly mode: string;
}

/**
 * Shell script that writes the files into `/files`, each whole or not at all: under temporary
 * names first, then renamed. Content travels as base64, so that nothing in it is ever parsed.
 *
 * @throws RangeError for a file name that is not a plain name.
 */
export function writeScript(args: WriteScript): string {
  const lines = ["set -eu", "umask 077", "cd /files", `chown ${args.user} .`, "chmod 0750 ."];
  const names = Object.keys(args.files);
  for (const [name, content] of Object.entries(args.files)) {
    if (!/^[A-Za-z0-9_][A-Za-z0-9._-]*$/.test(name))
      throw new RangeError(`"${name}" is not a plain file name`);
    lines.push(
      `base64 -d > .${name}.new <<'END'`,
      ...(Buffer.from(content, "utf8")
        .toString("base64")
        .match(/.{1,76}/g) ?? []),
      "END",
      `chmod ${args.mode} .${name}.new`,
      `chown ${args.user} .${name}.new`,
    );
  }
  if (args.check !== "")
    lines.push(
      "if ! (",
      args.check,
      `) </dev/null; then rm -f ${names.map((name) => `.${name}.new`).join(" ")}; exit 1; fi`,
    );
  lines.push(...names.map((name) => `mv -f .${name}.new ${name}`), args.prepare);
  return [...lines, ""].join("\n");
}
