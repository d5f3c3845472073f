import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { recordStack, stackConfig, writtenFiles } from "./testing/stack";

void describe("Nginx", async () => {
  const dev = await recordStack(stackConfig("dev"));
  const prod = await recordStack(stackConfig("prod"));
  const site = (stack: typeof dev): string =>
    writtenFiles(stack.command("nginx-config-write"))["site.conf"] ?? "";

  void it("routes / to the app and /mlflow/ to MLflow", () => {
    assert.match(site(dev), /location \/ \{\s+proxy_pass http:\/\/\$app_upstream;/);
    assert.match(site(dev), /location \/mlflow\/ \{[^}]+proxy_pass http:\/\/\$mlflow_upstream;/s);
  });

  void it("keeps the upstream in a volume of its own, which a deploy does not overwrite", () => {
    const write = String(dev.command("nginx-upstream-write").inputs.stdin);
    assert.match(write, /if \[ ! -e app\.conf \]; then/);
    const volumes = dev.container("nginx").inputs.volumes as Record<string, unknown>[];
    assert.deepEqual(volumes[1], {
      volumeName: "mlops-dev-nginx-upstream",
      containerPath: "/etc/nginx/upstream",
      readOnly: false,
    });
  });

  void it("switches in the running container to the containers of this release alone", () => {
    const route = prod.command("nginx-route");
    assert.equal(route.inputs.create, "docker exec --interactive mlops-prod-nginx sh -s");
    assert.match(String(route.inputs.stdin), /default "app-[0-9a-f]{8}:8000";/);
  });

  void it("speaks HTTP only without TLS", () => {
    assert.doesNotMatch(site(dev), /ssl/);
    assert.equal(dev.all.filter(({ name }) => name.includes("nginx-certs")).length, 0);
  });

  void it("sends HTTP to HTTPS with TLS, and makes the key inside the volume", () => {
    assert.match(
      site(prod),
      /listen 8080;\s+location \/ \{ return 308 https:\/\/\$host\$request_uri;/,
    );
    assert.match(site(prod), /listen 8443 ssl;/);
    const generate = String(prod.command("nginx-certs-generate").inputs.stdin);
    assert.match(generate, /subjectAltName=DNS:localhost/);
  });

  void it("does not show the app's figures to the public", () => {
    assert.match(site(dev), /location = \/metrics \{ return 404; \}/);
  });
});
