import * as command from "@pulumi/command";
import * as pulumi from "@pulumi/pulumi";
import type { NginxConfig } from "../config";
import { Certificate } from "./certificate";
import { Containers } from "./container";
import type { StackContext } from "./context";
import { Exporter } from "./exporter";
import { FilesVolume } from "./files";
import {
  CERTIFICATE_FOLDER,
  NGINX_PORTS,
  portSuffix,
  siteConf,
  UPSTREAM_FOLDER,
  upstreamConf,
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
 * nginx, the only public listener. Where requests for the app go stands in a file in a volume of
 * its own, so that a release switches it in the running container.
 */
export class Nginx extends pulumi.ComponentResource {
  /** URL under which users reach the stack. */
  readonly url: string;
  readonly exporter: Exporter;
  private readonly server: Containers;

  constructor(
    private readonly name: string,
    args: NginxArgs,
    opts?: pulumi.ComponentResourceOptions,
  ) {
    super("mlops:nginx:Nginx", name, {}, opts);
    const { context, config } = args;
    this.url = publicUrl(config);
    const files = { context, service: "nginx", image: args.image, user: USER };
    const site = new FilesVolume(
      `${name}-config`,
      { ...files, files: { "site.conf": siteConf(config) } },
      { parent: this },
    );
    const upstream = new FilesVolume(
      `${name}-upstream`,
      // Until the first switch: whatever container of the app there is.
      { ...files, files: {}, initialFiles: { "app.conf": upstreamConf("app:8000") }, mode: "0644" },
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
    this.server = new Containers(
      name,
      {
        context,
        spec: {
          name: "nginx",
          image: args.image,
          user: USER,
          files: [
            { volume: site, path: "/etc/nginx/conf.d" },
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
      { parent: this, dependsOn: [this.server] },
    );
    this.registerOutputs({ url: this.url });
  }

  /**
   * Routes the app's requests to other containers, once those are healthy. The running nginx
   * checks the new file and keeps the old one if it does not like it.
   *
   * @param host name and port on the application network.
   * @param ready what must be healthy before.
   */
  route(host: pulumi.Input<string>, ready: pulumi.Resource): void {
    new command.local.Command(
      `${this.name}-route`,
      {
        create: pulumi.interpolate`docker exec --interactive ${this.server.names[0]} sh -s`,
        stdin: pulumi.output(host).apply(switchScript),
        // A new nginx container may have met an old file.
        triggers: [this.server.ids],
      },
      { parent: this, dependsOn: [ready] },
    );
  }
}

/** Replaces the upstream file whole, or puts the old one back and fails. */
function switchScript(host: string): string {
  return `set -eu
cd ${UPSTREAM_FOLDER}
cp -p app.conf .app.conf.old
cat > .app.conf.new <<'END'
${upstreamConf(host)}END
mv -f .app.conf.new app.conf
if ! nginx -t; then
  mv -f .app.conf.old app.conf
  echo "nginx refused the new upstream ${host}; the old one stays in place" >&2
  exit 1
fi
nginx -s reload
`;
}

/** The URL under which users reach the stack. */
function publicUrl(config: NginxConfig): string {
  return config.tls === "off"
    ? `http://${config.host}${portSuffix(config.httpPort, 80)}`
    : `https://${config.host}${portSuffix(config.httpsPort, 443)}`;
}
