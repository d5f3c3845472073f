import * as command from "@pulumi/command";
import * as pulumi from "@pulumi/pulumi";
import type { GateConfig } from "../config";
import {
  joinLedger,
  RELEASE_COMMANDS,
  type Attempt,
  type Passage,
  type Release as LedgerRow,
} from "./ledger";

/** Arguments of {@link ReleaseCheck}. */
export interface ReleaseCheckArgs {
  readonly stack: string;
  /** The release's tag. */
  readonly tag: string;
  /** Whether the tag was named by a person, and so means one image for ever. */
  readonly named: boolean;
  /** Image ID. */
  readonly image: pulumi.Input<string>;
}

/**
 * The first step of a release: refuses a tag that was another image before, and remembers that
 * the release was begun.
 */
export class ReleaseCheck extends pulumi.ComponentResource {
  /** Every attempt that is remembered, the present one last. */
  readonly attempts: pulumi.Output<readonly Attempt[]>;

  constructor(name: string, args: ReleaseCheckArgs, opts?: pulumi.ComponentResourceOptions) {
    super("mlops:release:ReleaseCheck", name, {}, opts);
    const { stdout } = step(this, name, "check", { ...args });
    this.attempts = parsed<Attempt[]>(stdout, []);
    this.registerOutputs({ attempts: this.attempts });
  }
}

/** Arguments of {@link Release}. */
export interface ReleaseArgs {
  readonly stack: string;
  /** What the API has to answer as its version. */
  readonly version: string;
  /** Image ID. */
  readonly image: pulumi.Input<string>;
  readonly check: ReleaseCheck;
  readonly migrationSeconds: pulumi.Input<number>;
  /** Docker IDs of the new containers. */
  readonly containers: pulumi.Input<string[]>;
  /** Name that only the new containers have. */
  readonly generation: pulumi.Input<string>;
  /** Docker IDs of nginx: a new one is switched again. */
  readonly nginx: pulumi.Input<string[]>;
  /** URL of the API, and the address of the host that listens there. */
  readonly url: string;
  readonly bindAddress: string;
  readonly gate: GateConfig;
  /** Registered model that the app serves. */
  readonly model: string;
  /** Seconds that a container gets to finish its requests. */
  readonly stopGraceSeconds: number;
  /** The app's configuration, which comes back with the release. */
  readonly config: Readonly<Record<string, string>>;
}

/**
 * How new containers go live: gate, switch, drain, record, each a command that fails the update
 * when it is red. Until the switch nobody but the gate reaches the new containers; the old ones are
 * stopped only after it. Every step may run again after it was killed.
 */
export class Release extends pulumi.ComponentResource {
  /** Every release that is remembered, newest first. */
  readonly ledger: pulumi.Output<readonly LedgerRow[]>;

  constructor(name: string, args: ReleaseArgs, opts?: pulumi.ComponentResourceOptions) {
    super("mlops:release:Release", name, {}, opts);
    const { stack, version, containers, generation, nginx, url, bindAddress } = args;
    const listener = { stack, version, generation, url, bindAddress, probes: args.gate.probes };
    const gate = step(this, name, "gate", {
      ...listener,
      containers,
      nginx,
      timeoutSeconds: args.gate.timeoutSeconds,
      model: args.model,
    });
    const live = step(this, name, "switch", { ...listener, containers, nginx }, [gate]);
    const drain = step(
      this,
      name,
      "drain",
      { stack, generation, containers, stopGraceSeconds: args.stopGraceSeconds },
      [live],
    );
    const record = step(
      this,
      name,
      "record",
      {
        stack,
        tag: version,
        image: args.image,
        attempt: args.check.attempts.apply((attempts) => attempts.at(-1)?.id ?? 0),
        config: args.config,
        migrationSeconds: args.migrationSeconds,
        gate: parsed(gate.stdout, {}),
        switch: parsed(live.stdout, {}),
        drain: parsed(drain.stdout, {}),
      },
      [drain],
    );
    this.ledger = pulumi
      .all([args.check.attempts, parsed<Passage[]>(record.stdout, [])])
      .apply(([attempts, passages]) => joinLedger(attempts, passages));
    this.registerOutputs({ ledger: this.ledger });
  }
}

/** What a step printed; nothing is printed in a preview. */
function parsed<T>(stdout: pulumi.Input<string>, otherwise: T): pulumi.Output<T> {
  return pulumi
    .output(stdout)
    .apply((text?: string) => ((text ?? "") === "" ? otherwise : (JSON.parse(text ?? "") as T)));
}

/**
 * A command that runs a step of the release engine, anew whenever its input changes. What it
 * printed the last time is given to it again, so that it can add to it.
 */
function step(
  parent: pulumi.Resource,
  name: string,
  task: keyof typeof RELEASE_COMMANDS,
  input: Readonly<Record<string, unknown>>,
  dependsOn: pulumi.Resource[] = [],
): command.local.Command {
  return new command.local.Command(
    `${name}-${RELEASE_COMMANDS[task]}`,
    {
      create: releaseCommand(task),
      stdin: pulumi.jsonStringify(input),
    },
    { parent, dependsOn },
  );
}

/** Shell command of a step of the release engine, which reads its input from standard input. */
export const releaseCommand = (task: string): string => `node bin/mlops.cjs release ${task}`;
