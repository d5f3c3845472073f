import * as command from "@pulumi/command";
import * as pulumi from "@pulumi/pulumi";
import type { NginxConfig } from "../config";
import { Certificate } from "./certificate";
import { Containers } from "./container";
import type { StackContext } from "./context";
import { Exporter } from "./exporter";
import { FilesVolume } from "./files";
import type { FilesMount } from "./spec";
import {
  CERTIFICATE_FOLDER,
  NGINX_PORTS,
  portSuffix,
  routesScript,
  siteConf,
  UPSTREAM_FOLDER,
} from "./nginx-config";

/** Arguments of {@link Nginx}. */
export interface NginxArgs {
  readonly context: StackContext;
  /** Image ID of nginx. */
  readonly image: pulumi.Input<string>;
  /** Image ID of the metrics exporters. */
  readonly exporterImage: pulumi.Input<string>;
  readonly config: NginxConfig;
}

/** The official image's own user. */
const USER = "101:101";

/**
 * nginx, the only public listener. Where requests for the app go is told by links in a volume of
 * its own, so that a release switches it in the running container.
 */
export class Nginx extends pulumi.ComponentResource {
  /** URL under which users reach the stack. */
  readonly url: string;
  readonly exporter: Exporter;
  /** Docker IDs of the running server. */
  readonly containers: pulumi.Output<string[]>;
  /** Key and certificate; undefined without TLS. */
  readonly certificates: FilesMount | undefined;
  /** Done when the server runs with the present configuration. */
  readonly ready: pulumi.Resource;

  constructor(name: string, args: NginxArgs, opts?: pulumi.ComponentResourceOptions) {
    super("mlops:nginx:Nginx", name, {}, opts);
    const { context, config } = args;
    this.url = publicUrl(config);
    const files = { context, service: "nginx", image: args.image, user: USER };
    const upstream = new FilesVolume(
      `${name}-upstream`,
      { ...files, files: {}, prepare: routesScript(USER) },
      { parent: this },
    );
    const certificates =
      config.tls === "off"
        ? []
        : [
            {
              path: CERTIFICATE_FOLDER,
              volume: new Certificate(
                `${name}-certs`,
                { ...files, host: config.host },
                { parent: this },
              ),
            },
          ];
    this.certificates = certificates[0];
    const site = new FilesVolume(
      `${name}-config`,
      {
        ...files,
        files: { "site.conf": siteConf(config) },
        check: { command: CHECK, mounts: certificates },
      },
      { parent: this },
    );
    const server = new Containers(
      name,
      {
        context,
        spec: {
          name: "nginx",
          image: args.image,
          user: USER,
          files: [
            { volume: site, path: "/etc/nginx/conf.d", replaces: false },
            { volume: upstream, path: UPSTREAM_FOLDER, readOnly: false },
            ...certificates,
          ],
          tmpfs: [{ path: "/run" }, { path: "/tmp" }, { path: "/var/cache/nginx", size: 256 }],
          health: {
            command: [
              ..."busybox wget -q -O /dev/null".split(" "),
              `http://127.0.0.1:${NGINX_PORTS.status}/healthz`,
            ],
          },
          resources: config.resources,
          networks: ["public", "application"],
          ports: [
            { container: NGINX_PORTS.http, host: config.httpPort },
            { container: NGINX_PORTS.https, host: config.tls === "off" ? 0 : config.httpsPort },
          ],
          update: "stop-first",
          // SIGQUIT lets the requests under way end.
          stopSignal: "SIGQUIT",
          stopGraceSeconds: 30,
        },
      },
      { parent: this },
    );
    this.containers = server.ids;
    // A reload keeps the listener open; a container of its own would take it away for seconds.
    this.ready = new command.local.Command(
      `${name}-reload`,
      {
        create: pulumi.interpolate`docker exec ${server.names[0]} nginx -s reload`,
        triggers: [site.version],
      },
      { parent: this, dependsOn: [server] },
    );
    this.exporter = new Exporter(
      `${name}-exporter`,
      {
        context,
        image: args.exporterImage,
        service: "nginx",
        command: [
          "prometheus-nginx-exporter",
          `--nginx.scrape-uri=http://nginx:${NGINX_PORTS.status}/stub_status`,
        ],
        port: 9113,
        network: "application",
      },
      { parent: this, dependsOn: [server] },
    );
    this.registerOutputs({ url: this.url });
  }
}

/** nginx itself reads the new site, and says what it does not like. */
const CHECK = `cp .site.conf.new /etc/nginx/conf.d/site.conf
nginx -t -q || { echo "nginx refuses its new configuration; the old one stays in place" >&2; exit 1; }`;

/** The URL under which users reach the stack. */
function publicUrl(config: NginxConfig): string {
  return config.tls === "off"
    ? `http://${config.host}${portSuffix(config.httpPort, 80)}`
    : `https://${config.host}${portSuffix(config.httpsPort, 443)}`;
}
