import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { Sandbox, serviceImage, type RunOptions } from "./testing/sandbox";

const USER = "10001:10001";
const STORE = "postgresql://mlflow@postgres:5432/mlflow";
const HEALTH = "busybox wget -q -O /dev/null http://127.0.0.1:5000/health".split(" ");
const SERVER = [
  "mlflow",
  "server",
  "--host=0.0.0.0",
  "--port=5000",
  "--workers=1",
  `--backend-store-uri=${STORE}`,
  "--serve-artifacts",
  "--artifacts-destination=/mlflow/artifacts",
  "--default-artifact-root=mlflow-artifacts:/",
  "--expose-prometheus=/run/mlflow",
  "--allowed-hosts=mlflow:5000,127.0.0.1:*",
];
/** nginx takes the prefix off, as in the stack. */
const SITE = `
resolver 127.0.0.11 valid=1s ipv6=off;
server {
  listen 8080;
  proxy_set_header Host $http_host;
  client_max_body_size 0;
  location /mlflow/ {
    set $mlflow "mlflow:5000";
    rewrite ^/mlflow(/.*)$ $1 break;
    proxy_pass http://$mlflow;
  }
}
`;

void describe("MLflow image", () => {
  const sandbox = new Sandbox();
  let options: RunOptions;
  let container: string;
  /** Where clients outside find MLflow: nginx, with the prefix. */
  let url: string;

  before(async () => {
    const image = await serviceImage("mlflow");
    options = {
      image,
      user: USER,
      alias: "mlflow",
      tmpfs: ["/run/mlflow"],
      volumes: { "/mlflow/artifacts": await sandbox.volume("artifacts") },
      files: {
        "/run/secrets": await sandbox.files(
          { image, user: USER },
          { pgpass: "postgres:5432:mlflow:mlflow:secret\n" },
        ),
      },
      environment: { PGPASSFILE: "/run/secrets/pgpass" },
    };
    await startPostgres();
  });
  after(() => sandbox.remove());

  async function startPostgres(): Promise<void> {
    const postgres = { image: await serviceImage("postgres"), user: "999:999" };
    const server = await sandbox.start({
      ...postgres,
      alias: "postgres",
      tmpfs: ["/run/postgresql"],
      volumes: { "/var/lib/postgresql/data": await sandbox.volume("postgres") },
      files: { "/run/secrets": await sandbox.files(postgres, { password: "secret" }) },
      environment: { POSTGRES_USER: "mlflow", POSTGRES_PASSWORD_FILE: "/run/secrets/password" },
    });
    await sandbox.healthy(server, "pg_isready", "--host=127.0.0.1");
  }

  /** Calls the API as a client outside does, and returns the answer. */
  async function call(method: string, path: string, body?: unknown): Promise<unknown> {
    const response = await fetch(`${url}/api/2.0/mlflow/${path}`, {
      method,
      headers: { "content-type": "application/json" },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const text = await response.text();
    assert.equal(response.status, 200, `${path}: ${text}`);
    return JSON.parse(text);
  }

  void it("makes the database's schema, and has nothing to do the second time", async () => {
    const command = ["mlflow", "db", "upgrade", STORE];
    const first = await sandbox.once({ ...options, command });
    assert.equal(first.exitCode, 0, first.output);
    assert.match(first.output, /Creating initial MLflow database tables/);
    const second = await sandbox.once({ ...options, command });
    assert.equal(second.exitCode, 0, second.output);
    assert.doesNotMatch(second.output, /Creating initial/);
  });

  void it("serves API, pages and figures from one process, through nginx under a prefix", async () => {
    container = await sandbox.start({ ...options, command: SERVER });
    const nginx = { image: await serviceImage("nginx"), user: "101:101" };
    const proxy = await sandbox.start({
      ...nginx,
      alias: "nginx",
      publish: 8080,
      tmpfs: ["/run", "/var/cache/nginx"],
      files: { "/etc/nginx/conf.d": await sandbox.files(nginx, { "site.conf": SITE }) },
    });
    url = `http://${await sandbox.address(proxy, 8080)}/mlflow`;
    await sandbox.healthy(container, ...HEALTH);

    assert.equal(await (await fetch(`${url}/version`)).text(), "3.17.2");
    const page = await (await fetch(`${url}/`)).text();
    const script = /src="(static-files\/[^"]+\.js)"/.exec(page)?.[1] ?? "no script";
    assert.equal((await fetch(`${url}/${script}`)).status, 200);
    assert.match(await (await fetch(`${url}/metrics`)).text(), /^mlflow_http_request_total/m);

    const processes = await sandbox.docker(["top", container, "-o", "pid,args"]);
    assert.equal(
      processes.split("\n").filter((line) => line.includes("python")).length,
      1,
      processes,
    );
  });

  void it("answers no other host name", async () => {
    const other = url.replace("127.0.0.1", "localhost");
    assert.equal(
      (await fetch(`${other}/api/2.0/mlflow/experiments/search?max_results=1`)).status,
      403,
    );
  });

  void it("registers a model version with its artifacts, and keeps both in a new container", async () => {
    const name = "reference";
    const { run } = (await call("POST", "runs/create", { experiment_id: "0" })) as {
      run: { info: { run_id: string; artifact_uri: string } };
    };
    const { run_id, artifact_uri } = run.info;
    assert.match(artifact_uri, /^mlflow-artifacts:\/0\//);
    const folder = `${url}/api/2.0/mlflow-artifacts/artifacts/${artifact_uri.replace("mlflow-artifacts:/", "")}`;
    const artifact = `${folder}/model/a%20model.bin`;
    const content = "x".repeat(2 ** 20);
    assert.equal((await fetch(artifact, { method: "PUT", body: content })).status, 200);
    await call("POST", "registered-models/create", { name });
    await call("POST", "model-versions/create", { name, run_id, source: `${artifact_uri}/model` });
    await call("POST", "registered-models/alias", { name, alias: "champion", version: "1" });

    await sandbox.docker(["stop", container]);
    assert.match(await sandbox.logs(container), /Application shutdown complete/);
    const next = await sandbox.start({ ...options, command: SERVER });
    await sandbox.healthy(next, ...HEALTH);
    const found = (await call("GET", `registered-models/alias?name=${name}&alias=champion`)) as {
      model_version: { version: string };
    };
    assert.equal(found.model_version.version, "1");
    assert.equal(await (await fetch(artifact)).text(), content);
  });
});
