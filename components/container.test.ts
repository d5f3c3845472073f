import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { goDuration } from "./container";
import { recordStack, stackConfig, type RecordedStack } from "./testing/stack";
import type { Recorded } from "./testing/record";

const SERVICES = [
  "app",
  "backup",
  "mlflow",
  "nginx",
  "nginx-exporter",
  "postgres",
  "postgres-exporter",
  "prometheus",
  "redis",
  "redis-exporter",
];

/** Mount points that may hold data or be written to; all others are read-only. */
const WRITABLE = [
  "/app/cache",
  "/app/data",
  "/app/logs",
  "/app/models",
  "/backup",
  "/data",
  "/etc/nginx/upstream",
  "/mlflow/artifacts",
  "/prometheus",
  "/run/postgresql",
  "/scratch",
  "/var/lib/postgresql/data",
];

function containersByService(stack: RecordedStack): Map<string, Recorded[]> {
  const services = new Map<string, Recorded[]>();
  for (const container of stack.ofType("docker:index/container:Container")) {
    const labels = container.inputs.labels as { label: string; value: string }[];
    const service = labels.find(({ label }) => label === "mlops.service")?.value ?? "";
    services.set(service, [...(services.get(service) ?? []), container]);
  }
  return services;
}

for (const stackName of ["dev", "staging", "prod"])
  void describe(`containers of ${stackName}`, async () => {
    const config = stackConfig(stackName);
    const stack = await recordStack(config);
    const services = containersByService(stack);

    void it("are the stack's services, the app in its replicas", () => {
      assert.deepEqual([...services.keys()].sort(), SERVICES);
      for (const [service, containers] of services)
        assert.equal(containers.length, service === "app" ? config.app.replicas : 1, service);
    });

    for (const container of stack.ofType("docker:index/container:Container"))
      void it(`${container.name} has the baseline`, () => {
        const { inputs } = container;
        assert.match(String(inputs.image), /^sha256:/, "runs an image by ID");
        // Root of the one service that reads all others' files may do only what is listed here.
        const isBackup = container.name.endsWith("-backup");
        if (!isBackup) assert.match(String(inputs.user), /^[1-9]\d*:[1-9]\d*$/, "never root");
        assert.equal(inputs.readOnly, true);
        assert.deepEqual(
          inputs.capabilities,
          isBackup
            ? {
                adds: ["CHOWN", "DAC_OVERRIDE", "FOWNER", "SETGID", "SETUID"].map(
                  (name) => `CAP_${name}`,
                ),
                drops: ["ALL"],
              }
            : { drops: ["ALL"] },
        );
        assert.deepEqual(inputs.securityOpts, ["no-new-privileges:true"]);
        assert.equal(inputs.privileged, undefined);
        assert.equal(inputs.pidMode, undefined);
        assert.equal(inputs.ipcMode, undefined);
        assert.equal(inputs.init, true);
        assert.equal(typeof inputs.memory, "number");
        assert.equal(inputs.memorySwap, inputs.memory, "no swap beyond the limit");
        assert.ok(Number(inputs.cpus) > 0);
        assert.deepEqual(inputs.ulimits, [
          { name: "nofile", soft: 16384, hard: 16384 },
          { name: "nproc", soft: 4096, hard: 4096 },
        ]);
        assert.equal(inputs.logDriver, "json-file");
        assert.deepEqual(inputs.logOpts, {
          "max-size": config.log.maxSize,
          "max-file": String(config.log.maxFiles),
        });
        assert.equal(inputs.restart, "unless-stopped");
        assert.equal(inputs.networkMode, "bridge");
        assert.ok((inputs.destroyGraceSeconds as number) >= 10, "time to stop cleanly");
        assert.equal(inputs.stopTimeout, inputs.destroyGraceSeconds);
        // For the app the gate waits.
        assert.equal(inputs.wait, !/-app(-\d+)?$/.test(container.name));
        assert.equal(inputs.removeVolumes, false);
        const { tests } = inputs.healthcheck as { tests: string[] };
        assert.equal(tests[0], "CMD");
        const labels = inputs.labels as { label: string; value: string }[];
        assert.ok(
          labels.some(({ label, value }) => label === "mlops.stack" && value === stackName),
        );
      });

    void it("mount nothing of the host, and write to data volumes only", () => {
      for (const container of stack.ofType("docker:index/container:Container"))
        for (const mount of container.inputs.volumes as Record<string, unknown>[]) {
          assert.equal(mount.hostPath, undefined, container.name);
          if (mount.readOnly !== true)
            assert.ok(WRITABLE.includes(String(mount.containerPath)), String(mount.containerPath));
        }
    });

    void it("keep memory file systems from holding programs", () => {
      for (const container of stack.ofType("docker:index/container:Container"))
        for (const options of Object.values(container.inputs.tmpfs as Record<string, string>))
          assert.match(options, /noexec,nosuid,nodev,size=\d+m,uid=\d+,gid=\d+/);
    });

    void it("have no secret in environment, command or labels", () => {
      const secrets = stack
        .ofType("random:index/randomPassword:RandomPassword")
        .map(({ name }) => `password-of-${name}`);
      assert.ok(secrets.length >= 6);
      for (const container of stack.ofType("docker:index/container:Container")) {
        for (const secret of secrets)
          assert.ok(!JSON.stringify(container.inputs).includes(secret), container.name);
        // What is made of one is encrypted in the state, and the commands could not read it there.
        assert.deepEqual(container.secrets, [], container.name);
      }
    });

    void it("publish nginx, and in dev the app; all others nothing", () => {
      const published = stack
        .ofType("docker:index/container:Container")
        .flatMap(({ name, inputs }) =>
          ((inputs.ports ?? []) as { external: number; ip: string }[]).map(
            ({ external, ip }) => `${name.replace(`mlops-${stackName}-`, "")} ${ip}:${external}`,
          ),
        );
      const expected: Record<string, string[]> = {
        dev: ["app 127.0.0.1:8000", "nginx 127.0.0.1:8080"],
        staging: ["nginx 127.0.0.1:8180", "nginx 127.0.0.1:8543"],
        prod: ["nginx 0.0.0.0:80", "nginx 0.0.0.0:443"],
      };
      assert.deepEqual(published, expected[stackName]);
    });

    void it("reach Postgres and Redis over the data network only", () => {
      for (const service of ["postgres", "redis"])
        assert.deepEqual(networksOf(stack.container(service)), [`mlops-${stackName}-data`]);
    });
  });

function networksOf(container: Recorded): string[] {
  return (container.inputs.networksAdvanced as { name: string }[]).map(({ name }) => name);
}

void describe("goDuration", () => {
  for (const [seconds, text] of [
    [0, "0s"],
    [5, "5s"],
    [60, "1m0s"],
    [90, "1m30s"],
    [3600, "1h0m0s"],
  ] as const)
    void it(`writes ${seconds} as ${text}`, () => {
      assert.equal(goDuration(seconds), text);
    });
});
