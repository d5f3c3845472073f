import * as pulumi from "@pulumi/pulumi";
import { Containers } from "./container";
import type { StackContext } from "./context";
import { FilesVolume } from "./files";
import type { MetricsEndpoint, NetworkName } from "./spec";

/** Arguments of {@link Exporter}. */
export interface ExporterArgs {
  readonly context: StackContext;
  /** Image ID with the Prometheus exporters. */
  readonly image: pulumi.Input<string>;
  /** Service whose figures are exported, such as `postgres`. */
  readonly service: string;
  /** Command and arguments. */
  readonly command: readonly pulumi.Input<string>[];
  /** Port on which the exporter listens. */
  readonly port: number;
  /** Environment, never a secret. @default none */
  readonly environment?: Readonly<Record<string, string>>;
  /** Secret files below `/run/secrets`. @default none */
  readonly secrets?: Readonly<Record<string, pulumi.Input<string>>>;
  /** Network on which the service is found, beside `application` for the scrape. */
  readonly network: NetworkName;
}

/** `nobody`, as in the exporters' own images. */
const USER = "65534:65534";

/** An exporter is a few megabytes of Go: 15 MiB in use, measured while it is scraped. */
const RESOURCES = { cpus: 0.25, memory: 64, cpuReservation: 0, memoryReservation: 0 };

/** Translates one service's figures to the Prometheus format, beside it and without its rights. */
export class Exporter extends pulumi.ComponentResource {
  /** Service whose figures are exported. */
  readonly service: string;
  /** Name on the application network. */
  readonly host: string;
  /** Where Prometheus scrapes. */
  readonly metrics: MetricsEndpoint;

  constructor(name: string, args: ExporterArgs, opts?: pulumi.ComponentResourceOptions) {
    super("mlops:monitoring:Exporter", name, {}, opts);
    const { context } = args;
    this.service = args.service;
    this.host = `${args.service}-exporter`;
    this.metrics = { port: args.port };
    const files =
      args.secrets === undefined
        ? []
        : [
            {
              path: "/run/secrets",
              volume: new FilesVolume(
                `${name}-secrets`,
                {
                  context,
                  service: this.host,
                  image: args.image,
                  user: USER,
                  files: args.secrets,
                },
                { parent: this },
              ),
            },
          ];
    new Containers(
      name,
      {
        context,
        spec: {
          name: this.host,
          image: args.image,
          user: USER,
          command: args.command,
          environment: args.environment ?? {},
          files,
          tmpfs: [{ path: "/tmp", size: 16 }],
          health: {
            command: ["busybox", "wget", "-q", "-O", "/dev/null", `http://127.0.0.1:${args.port}/`],
          },
          resources: RESOURCES,
          networks: [...new Set<NetworkName>(["application", args.network])],
          update: "stop-first",
          stopGraceSeconds: 10,
        },
      },
      { parent: this },
    );
    this.registerOutputs({ host: this.host });
  }
}
