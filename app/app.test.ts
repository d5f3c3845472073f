import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { buildCommand, contextHash } from "../components/image-build";
import { eventually, type RunOptions, Sandbox, serviceImage } from "../images/testing/sandbox";

const USER = "10001:10001";
const FOLDERS = ["/app/data", "/app/logs", "/app/models", "/app/cache"];

/** Of throw-away containers that nothing outside this test can reach. */
const PASSWORDS = { postgres: "postgres-of-a-test", redis: "redis-of-a-test" };

/** A stage of `app/Dockerfile`, built unless it is there. */
async function appImage(sandbox: Sandbox, target: "runtime" | "test"): Promise<string> {
  const suffix = target === "test" ? "-test" : "";
  const reference = `mlops-app${suffix}:${contextHash("app")}`;
  await sandbox.shell(buildCommand({ context: "app", reference, target }));
  return reference;
}

async function startPostgres(sandbox: Sandbox): Promise<void> {
  const image = await serviceImage("postgres");
  const user = "999:999";
  const container = await sandbox.start({
    image,
    user,
    alias: "postgres",
    command: ["postgres"],
    environment: {
      POSTGRES_USER: "mlops",
      POSTGRES_DB: "mlops",
      POSTGRES_PASSWORD_FILE: "/run/secrets/password",
    },
    files: {
      "/run/secrets": await sandbox.files({ image, user }, { password: PASSWORDS.postgres }),
    },
    volumes: { "/var/lib/postgresql/data": await sandbox.volume("postgres") },
    tmpfs: ["/run/postgresql"],
  });
  await sandbox.healthy(container, "pg_isready", "--host=localhost");
}

async function startRedis(sandbox: Sandbox): Promise<void> {
  const image = await serviceImage("redis");
  const user = "999:1000";
  const acl = `user default on >${PASSWORDS.redis} ~* &* +@all\nuser health on nopass -@all +ping\n`;
  const container = await sandbox.start({
    image,
    user,
    alias: "redis",
    command: ["redis-server", "--aclfile", "/run/secrets/users.acl", "--dir", "/data"],
    files: { "/run/secrets": await sandbox.files({ image, user }, { "users.acl": acl }) },
    volumes: { "/data": await sandbox.volume("redis") },
  });
  const ping = "redis-cli --user health --pass x --no-auth-warning ping";
  await sandbox.healthy(container, ...ping.split(" "));
}

async function startMlflow(sandbox: Sandbox): Promise<void> {
  const container = await sandbox.start({
    image: await serviceImage("mlflow"),
    user: USER,
    alias: "mlflow",
    command: [
      ..."mlflow server --host=0.0.0.0 --port=5000 --workers=1 --serve-artifacts".split(" "),
      "--backend-store-uri=sqlite:////mlflow/artifacts/registry.db",
      "--artifacts-destination=/mlflow/artifacts",
      // The tests reach it by way of links, under addresses that change.
      "--allowed-hosts=*",
    ],
    volumes: { "/mlflow/artifacts": await sandbox.volume("mlflow") },
    tmpfs: ["/run/mlflow"],
  });
  await sandbox.healthy(
    container,
    ..."busybox wget -q -O /dev/null http://127.0.0.1:5000/health".split(" "),
  );
}

void describe("the model API", () => {
  const sandbox = new Sandbox();
  after(() => sandbox.remove());
  let testImage: string;
  let secrets: string;
  /** A container on the services' network, with the secrets where the app looks for them. */
  const onNetwork = (image: string, alias: string): Omit<RunOptions, "command"> => ({
    image,
    user: USER,
    alias,
    files: { "/run/secrets": secrets },
  });

  before(async () => {
    testImage = await appImage(sandbox, "test");
    secrets = await sandbox.files(
      { image: testImage, user: USER },
      {
        postgres_password: PASSWORDS.postgres,
        redis_password: PASSWORDS.redis,
        secret_key: "key-of-a-test",
      },
    );
    await Promise.all([startPostgres(sandbox), startRedis(sandbox), startMlflow(sandbox)]);
  });

  for (const check of [
    "ruff check --no-cache",
    "ruff format --no-cache --check",
    "mypy --cache-dir=/dev/null",
  ])
    void it(`passes ${check}`, async () => {
      const command = check.split(" ");
      assert.equal(await sandbox.stream({ image: testImage, user: USER, command }), 0);
    });

  void it("passes pytest with real Postgres, Redis and MLflow", async () => {
    const tests = { ...onNetwork(testImage, "tests"), command: ["pytest", "--color=no"] };
    assert.equal(await sandbox.stream(tests), 0);
  });

  void it("migrates, trains, serves and stops as the released image", async () => {
    const image = await appImage(sandbox, "runtime");
    const migrated = await sandbox.once({ ...onNetwork(image, "migrate"), command: ["migrate"] });
    assert.equal(migrated.exitCode, 0, migrated.output);

    const volumes: Record<string, string> = {};
    for (const folder of FOLDERS) volumes[folder] = await sandbox.volume("app");
    const container = await sandbox.start({
      ...onNetwork(image, "app"),
      environment: { APP_VERSION: "v9.8.7", MODEL_NAME: "released", MODEL_POLL_SECONDS: "0.2" },
      volumes,
      publish: 8000,
    });
    // Without a champion there is nothing to load: the start is over, traffic is not wanted yet.
    await sandbox.healthy(container, "healthcheck");
    const url = `http://${await sandbox.address(container, 8000)}`;
    assert.equal((await fetch(`${url}/health/ready`)).status, 503);

    const trained = await sandbox.once({
      image,
      user: USER,
      alias: "train",
      environment: { MODEL_NAME: "released" },
      command: ["train"],
    });
    assert.equal(trained.exitCode, 0, trained.output);
    await eventually("the champion is served", async () =>
      (await fetch(`${url}/health/ready`)).status === 200 ? true : undefined,
    );
    const { paths } = (await (await fetch(`${url}/openapi.json`)).json()) as {
      readonly paths: {
        readonly "/predict": {
          readonly post: {
            readonly requestBody: {
              readonly content: { readonly "application/json": { readonly example: unknown } };
            };
          };
        };
      };
    };
    const { example } = paths["/predict"].post.requestBody.content["application/json"];
    const answer = await fetch(`${url}/predict`, { method: "POST", body: JSON.stringify(example) });
    assert.equal(answer.status, 200);
    assert.equal(answer.headers.get("x-app-version"), "v9.8.7");
    const body = (await answer.json()) as {
      readonly predictions: unknown;
      readonly model: unknown;
    };
    assert.deepEqual(body.model, { name: "released", version: "1", alias: "champion" });

    await sandbox.docker(["stop", "--time=30", container]);
    assert.equal(await sandbox.inspect(container, ".State.ExitCode"), "0");
  });

  void it("ships compiled code, nothing that installs or lends rights, and folders of its own user", async () => {
    const image = await appImage(sandbox, "runtime");
    const script = [
      // Every module that could be imported has its bytecode beside it.
      "cd /app && for file in mlops_app/*.py; do",
      '  [ -e "mlops_app/__pycache__/$(basename "$file" .py).cpython-313.pyc" ] || echo "$file"; done',
      "! command -v pip && ! python -m pip --version 2>/dev/null",
      "find / -xdev -type f -perm /6000 2>/dev/null",
      ...FOLDERS.map((folder) => `[ "$(stat --format %u:%g ${folder})" = ${USER} ] || exit 1`),
    ].join("\n");
    const result = await sandbox.once({
      image,
      user: USER,
      entrypoint: "sh",
      command: ["-c", script],
    });
    assert.deepEqual(result, { output: "", exitCode: 0 });
  });
});
