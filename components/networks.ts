import * as docker from "@pulumi/docker";
import * as pulumi from "@pulumi/pulumi";
import { labelList, stackLabels } from "./context";
import type { NetworkName } from "./spec";

/** Arguments of {@link Networks}. */
export interface NetworksArgs {
  /** Stack name for the labels. */
  readonly stack: string;
}

/**
 * The networks of a stack. Only `public` has a way out and can publish ports; `application` joins
 * nginx, the API, MLflow and Prometheus; `data` holds Postgres and Redis and what may reach them.
 */
export class Networks extends pulumi.ComponentResource {
  /** Docker network names by role. */
  readonly names: Readonly<Record<NetworkName, pulumi.Output<string>>>;

  constructor(name: string, args: NetworksArgs, opts?: pulumi.ComponentResourceOptions) {
    super("mlops:network:Networks", name, {}, opts);
    const labels = labelList(stackLabels(args));
    const network = (role: NetworkName, internal: boolean): pulumi.Output<string> =>
      new docker.Network(
        `${name}-${role}`,
        { name: `${name}-${role}`, driver: "bridge", internal, labels },
        { parent: this, deleteBeforeReplace: true },
      ).name;
    this.names = {
      public: network("public", false),
      application: network("application", true),
      data: network("data", true),
    };
    this.registerOutputs({ names: this.names });
  }
}
