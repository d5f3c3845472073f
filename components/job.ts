import * as command from "@pulumi/command";
import * as pulumi from "@pulumi/pulumi";
import type { StackContext } from "./context";
import { quote } from "./shell";
import type { NetworkName, ServiceSpec } from "./spec";

/** Arguments of {@link Job}. */
export interface JobArgs {
  readonly context: StackContext;
  /** The service whose image, user, files, environment and networks the job runs with. */
  readonly spec: ServiceSpec;
  /** What the job is for, such as `migrate`; part of its label. */
  readonly task: string;
  /** Command and arguments of the job. */
  readonly command: readonly string[];
  /** The one network that the job needs. */
  readonly network: NetworkName;
  /** What it works on: where that is another, it runs again. */
  readonly subject: pulumi.Input<string>;
}

/**
 * A one-off container that must succeed before what depends on it may start, such as a schema
 * migration. It runs again when the image or its subject changes, and must be safe to run twice: whoever is
 * killed in the middle runs it again.
 */
export class Job extends pulumi.ComponentResource {
  /** Seconds that the last run took. */
  readonly seconds: pulumi.Output<number>;

  constructor(name: string, args: JobArgs, opts?: pulumi.ComponentResourceOptions) {
    super("mlops:docker:Job", name, {}, opts);
    const run = new command.local.Command(
      name,
      {
        create: dockerRun(args),
        triggers: [args.spec.image, args.subject],
      },
      { parent: this, dependsOn: (args.spec.files ?? []).map((mount) => mount.volume.ready) },
    );
    // Nothing is printed in a preview.
    this.seconds = run.stdout.apply((stdout) =>
      Number((stdout as string | undefined)?.split("\n").at(-1) ?? 0),
    );
    this.registerOutputs({ seconds: this.seconds });
  }
}

/**
 * Runs the job's container, and prints as last line the seconds it took. Only names and settings:
 * secrets stay in mounted files.
 */
function dockerRun(args: JobArgs): pulumi.Output<string> {
  const { context, spec } = args;
  const files = (spec.files ?? []).map(
    (mount) => pulumi.interpolate`--volume=${mount.volume.volumeName}:${mount.path}:ro`,
  );
  const environment = Object.entries(spec.environment ?? {}).map(
    ([key, value]) => pulumi.interpolate`--env=${key}=${value}`,
  );
  return pulumi
    .all([
      pulumi.interpolate`--network=${context.networks[args.network]}`,
      ...files,
      ...environment,
      spec.image,
    ])
    .apply((resolved) => {
      const line = [
        ..."docker run --rm --init --read-only --cap-drop=ALL".split(" "),
        "--security-opt=no-new-privileges:true",
        `--user=${spec.user}`,
        "--tmpfs=/tmp:rw,nosuid,nodev,size=256m,mode=1777",
        `--memory=${spec.resources.memory}m`,
        `--label=mlops.stack=${context.stack}`,
        `--label=mlops.service=${spec.name}`,
        `--label=mlops.task=${args.task}`,
        ...resolved,
        ...args.command,
      ]
        .map(quote)
        .join(" ");
      return `begin=$(date +%s)\n${line} || exit $?\necho $(($(date +%s) - begin))`;
    });
}
