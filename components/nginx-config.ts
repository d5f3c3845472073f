import type { NginxConfig } from "../config";

/** Ports inside the container: all above 1024, so that no capability is needed. */
export const NGINX_PORTS = { http: 8080, https: 8443, status: 8081 } as const;

/** Folder with the links that say where requests for the app go, see {@link routesScript}. */
export const UPSTREAM_FOLDER = "/etc/nginx/upstream";

/** Shares of the traffic that can be sent elsewhere one by one: each is 1 %. */
export const ROUTE_BUCKETS = 100;

/** Request header by which the gate reaches a generation that is not live. */
export const CANDIDATE_HEADER = "X-Mlops-Candidate";

/** Folder with `tls.pem`, certificate and key. */
export const CERTIFICATE_FOLDER = "/etc/nginx/certs";

/**
 * Shell script that makes the links that do not exist yet. A request takes one of the `routes/N`,
 * by chance; these lead to `live` or `canary`, and these to a folder in `generations`, whose name
 * is the host name of the containers that answer. nginx follows the links anew for each request, so
 * that renaming one switches at once, without the reload that would close clients' connections.
 */
export function routesScript(user: string): string {
  return [
    // Until the first switch: whatever container of the app there is.
    "mkdir -p generations/app routes",
    "for link in live canary; do [ -L $link ] || ln -s generations/app $link; done",
    "bucket=0",
    `while [ $bucket -lt ${ROUTE_BUCKETS} ]; do`,
    "  [ -L routes/$bucket ] || ln -s ../live routes/$bucket",
    "  bucket=$((bucket + 1))",
    "done",
    `chown -hR ${user} .`,
  ].join("\n");
}

/**
 * The whole site: `/` to the app, `/mlflow/` to MLflow, and a status server for the health check
 * and the exporter that is never published.
 */
export function siteConf(config: NginxConfig): string {
  const routes = `${APP_ROUTES}\n${MLFLOW_ROUTES}`;
  const servers =
    config.tls === "off"
      ? server(`listen ${NGINX_PORTS.http};`, routes)
      : [
          server(
            `listen ${NGINX_PORTS.http};`,
            `location / { return 308 https://$host${portSuffix(config.httpsPort, 443)}$request_uri; }`,
          ),
          server(
            [
              `listen ${NGINX_PORTS.https} ssl;`,
              "http2 on;",
              `ssl_certificate ${CERTIFICATE_FOLDER}/tls.pem;`,
              `ssl_certificate_key ${CERTIFICATE_FOLDER}/tls.pem;`,
              "ssl_protocols TLSv1.2 TLSv1.3;",
              "ssl_session_cache shared:TLS:10m;",
              "ssl_session_timeout 1d;",
              "ssl_session_tickets off;",
            ].join("\n  "),
            routes,
          ),
        ].join("\n");
  return `${PREAMBLE}\n${servers}\n${STATUS_SERVER}`;
}

/** The port as users type it: a standard one is left out. */
export function portSuffix(port: number, standard: number): string {
  return port === standard ? "" : `:${port}`;
}

function server(head: string, routes: string): string {
  return `server {\n  ${head}\n${routes}\n}\n`;
}

const PREAMBLE = `# Names are looked up in Docker's own DNS, and again after a second.
resolver 127.0.0.11 valid=1s ipv6=off;

split_clients $request_id $app_bucket {
${Array.from({ length: ROUTE_BUCKETS - 1 }, (_, bucket) => `  1% ${bucket};`).join("\n")}
  * ${ROUTE_BUCKETS - 1};
}
map $http_${CANDIDATE_HEADER.toLowerCase().replaceAll("-", "_")} $app_route {
  default routes/$app_bucket;
  "~^(?<candidate>[0-9a-f]{8})$" generations/app-$candidate;
}
# Volatile: a request that found nobody asks again where to go.
map $realpath_root $app_upstream {
  volatile;
  "~/generations/(?<generation>app(-[0-9a-f]{8})?)$" $generation:8000;
}

proxy_http_version 1.1;
proxy_set_header Connection "";
proxy_set_header Host $http_host;
proxy_set_header X-Real-IP $remote_addr;
proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
proxy_set_header X-Forwarded-Proto $scheme;
proxy_set_header X-Request-ID $request_id;
`;

/** Figures are for Prometheus, which asks each service directly. */
const APP_ROUTES = `
  root ${UPSTREAM_FOLDER}/$app_route;
  proxy_connect_timeout 2s;
  proxy_read_timeout 60s;
  location / {
    if (!-d $document_root) { return 404; }
    proxy_pass http://$app_upstream;
    error_page 502 504 = @again;
  }
  # A request whose body came slowly may have been routed before a switch and sent after it, to
  # containers that were stopped meanwhile. Nothing of it was received there: once more, to whom is
  # live now. One that may have been received is never sent twice.
  location @again {
    if ($upstream_bytes_sent ~ "[1-9]") { return 502; }
    proxy_pass http://$app_upstream;
  }
  location = /metrics { return 404; }
`;

/**
 * MLflow knows nothing of the prefix: its pages use relative addresses only, and with its own
 * `--static-prefix` the API would move too and artifact uploads would pass through memory as a
 * whole. Models are large: no limit on bodies, none of them buffered, time for slow links.
 */
const MLFLOW_ROUTES = `
  location = /mlflow { return 308 /mlflow/; }
  location = /mlflow/metrics { return 404; }
  location /mlflow/ {
    set $mlflow_upstream "mlflow:5000";
    rewrite ^/mlflow(/.*)$ $1 break;
    proxy_pass http://$mlflow_upstream;
    client_max_body_size 0;
    proxy_request_buffering off;
    proxy_read_timeout 600s;
    proxy_send_timeout 600s;
  }
`;

const STATUS_SERVER = `server {
  listen ${NGINX_PORTS.status};
  access_log off;
  location = /healthz { return 200 "ok\\n"; }
  location = /stub_status { stub_status; }
}
`;
