import * as pulumi from "@pulumi/pulumi";
import { stringify } from "yaml";
import type { PrometheusConfig } from "../config";
import { alertRules, type AlertRulesArgs } from "./alert-rules";
import { Containers } from "./container";
import type { StackContext } from "./context";
import { FilesVolume } from "./files";
import type { MetricsEndpoint } from "./spec";
import { DataVolume } from "./volume";

/** A group of processes that Prometheus scrapes. */
export interface ScrapeTarget {
  /** Value of the `job` label. */
  readonly job: string;
  /** Name on the application network. */
  readonly host: string;
  readonly metrics: MetricsEndpoint;
  /** Whether the name stands for any number of containers. @default false */
  readonly discover?: boolean;
}

/** Arguments of {@link Prometheus}. */
export interface PrometheusArgs {
  readonly context: StackContext;
  /** Image ID of Prometheus. */
  readonly image: pulumi.Input<string>;
  readonly config: PrometheusConfig;
  readonly targets: readonly ScrapeTarget[];
  /** What decides on its alerts. */
  readonly alerts: Omit<AlertRulesArgs, "stack">;
}

/** `nobody`, as in the official image. */
const USER = "65534:65534";
const PORT = 9090;
/** Rule file, beside the configuration. */
const RULES = "alerts.yml";

/** Prometheus, which collects the figures of every service and its own, and raises alerts on them. */
export class Prometheus extends pulumi.ComponentResource {
  constructor(name: string, args: PrometheusArgs, opts?: pulumi.ComponentResourceOptions) {
    super("mlops:monitoring:Prometheus", name, {}, opts);
    const { context, config } = args;
    const data = new DataVolume(
      `${name}-data`,
      { context, service: "prometheus", purpose: "data" },
      { parent: this },
    );
    const settings = new FilesVolume(
      `${name}-config`,
      {
        context,
        service: "prometheus",
        image: args.image,
        user: USER,
        files: {
          "prometheus.yml": prometheusYml(context.stack, args.targets),
          [RULES]: alertRules({ stack: context.stack, ...args.alerts }),
        },
      },
      { parent: this },
    );
    new Containers(
      name,
      {
        context,
        spec: {
          name: "prometheus",
          image: args.image,
          user: USER,
          command: [
            "--config.file=/etc/prometheus/conf/prometheus.yml",
            "--storage.tsdb.path=/prometheus",
            `--storage.tsdb.retention.time=${config.retention}`,
            `--web.listen-address=:${PORT}`,
          ],
          files: [{ volume: settings, path: "/etc/prometheus/conf" }],
          volumes: [{ volume: data.volumeName, path: "/prometheus" }],
          tmpfs: [{ path: "/tmp", size: 16 }],
          health: { command: ["promtool", "check", "healthy", `--url=http://127.0.0.1:${PORT}`] },
          resources: config.resources,
          networks: ["application"],
          ports: [{ container: PORT, host: config.hostPort }],
          update: "stop-first",
          stopGraceSeconds: 60,
        },
      },
      { parent: this },
    );
    this.registerOutputs({});
  }
}

/** Scrape configuration. Names that stand for several containers are resolved at every scrape. */
function prometheusYml(stack: string, targets: readonly ScrapeTarget[]): string {
  return stringify({
    global: { scrape_interval: "15s", scrape_timeout: "10s", external_labels: { stack } },
    rule_files: [RULES],
    scrape_configs: [
      { job_name: "prometheus", static_configs: [{ targets: [`localhost:${PORT}`] }] },
      ...targets.map(({ job, host, metrics, discover }) => ({
        job_name: job,
        metrics_path: metrics.path ?? "/metrics",
        ...(discover === true
          ? {
              // Its replicas come and go, and a canary is judged within minutes.
              scrape_interval: "5s",
              scrape_timeout: "4s",
              dns_sd_configs: [
                { names: [host], type: "A", port: metrics.port, refresh_interval: "5s" },
              ],
            }
          : { static_configs: [{ targets: [`${host}:${metrics.port}`] }] }),
      })),
    ],
  });
}
