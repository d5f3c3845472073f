import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { recordStack, stackConfig, writtenFiles } from "./testing/stack";

void describe("Nginx", async () => {
  const dev = await recordStack(stackConfig("dev"));
  const prod = await recordStack(stackConfig("prod"));
  const site = (stack: typeof dev): string =>
    writtenFiles(stack.command("nginx-config-write"))["site.conf"] ?? "";

  void it("routes / to the app and /mlflow/ to MLflow", () => {
    assert.match(site(dev), /location \/ \{[^}]+\}\s+proxy_pass http:\/\/\$app_upstream;/s);
    assert.match(site(dev), /location \/mlflow\/ \{[^}]+proxy_pass http:\/\/\$mlflow_upstream;/s);
  });

  void it("keeps the routes in a volume of its own, which a deploy does not overwrite", () => {
    const write = String(dev.command("nginx-upstream-write").inputs.stdin);
    assert.match(write, /\[ -L \$link \] \|\| ln -s generations\/app \$link/);
    const volumes = dev.container("nginx").inputs.volumes as Record<string, unknown>[];
    assert.deepEqual(volumes[1], {
      volumeName: "mlops-dev-nginx-upstream",
      containerPath: "/etc/nginx/upstream",
      readOnly: false,
    });
  });

  void it("lets nginx look at a new configuration, and reloads it in the running container", () => {
    const write = String(prod.command("nginx-config-write").inputs.stdin);
    assert.match(write, /nginx -t/);
    assert.match(
      String(prod.command("nginx-config-write").inputs.create),
      /--volume mlops-prod-nginx-certs:\/etc\/nginx\/certs:ro/,
    );
    const reload = prod.command("nginx-reload");
    assert.equal(reload.inputs.create, "docker exec mlops-prod-nginx nginx -s reload");
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
