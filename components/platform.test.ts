import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { recordStack, stackConfig } from "./testing/stack";

void describe("Platform", async () => {
  const config = stackConfig("prod");
  const prod = await recordStack(config);

  void it("knows stacks by their configuration alone, never by their name", async () => {
    const other = await recordStack({ ...config, stack: "elsewhere" });
    const renamed = JSON.stringify(other.all).replaceAll("elsewhere", "prod");
    // Scripts in base64 hold the name as well; compare those decoded.
    const plain = (text: string): string =>
      text
        .replaceAll(/[A-Za-z0-9+/=\\n]{60,}/g, "BASE64")
        .replaceAll(/\\*"[0-9a-f]{8}\\*"/g, "HASH");
    assert.equal(
      plain(renamed).replaceAll(/app-[0-9a-f]{8}/g, "app-HASH"),
      plain(JSON.stringify(prod.all)).replaceAll(/app-[0-9a-f]{8}/g, "app-HASH"),
    );
  });

  void it("shares no Docker name between two stacks", async () => {
    const dev = await recordStack(stackConfig("dev"));
    const names = (resources: typeof dev.all): string[] =>
      resources
        .filter(({ type }) => type.startsWith("docker:") && !type.includes("remoteImage"))
        .map(({ inputs, name }) => (typeof inputs.name === "string" ? inputs.name : name));
    const shared = names(dev.all).filter((name) => names(prod.all).includes(name));
    assert.deepEqual(shared, []);
  });

  void it("runs the release that TAG names, from the registry that REGISTRY names", async () => {
    const stack = await recordStack(
      stackConfig("prod", {}, { TAG: "v1.2.0", REGISTRY: "registry.example.com/team" }),
    );
    assert.equal(
      stack.find("docker:index/remoteImage:RemoteImage", "image-app").inputs.name,
      "registry.example.com/team/mlops-app:v1.2.0",
    );
    // By the Docker client: a login for the provider would be kept in the state.
    assert.match(
      String(stack.find("command:local:Command", "image-app-pull").inputs.create),
      /docker pull --quiet registry\.example\.com\/team\/mlops-app:v1\.2\.0$/,
    );
    const envs = stack.container("app-0").inputs.envs as string[];
    assert.ok(envs.includes("APP_VERSION=v1.2.0"));
  });

  void it("changes nothing but the app when the TAG changes", async () => {
    const next = await recordStack(stackConfig("prod", {}, { TAG: "v1.1.0" }));
    const changed = next.all
      .filter((resource) => {
        const before = prod.all.find(
          ({ type, name }) => type === resource.type && name === resource.name,
        );
        return JSON.stringify(before) !== JSON.stringify(resource);
      })
      .map(({ type, name }) => `${type} ${name}`)
      .filter((resource) => !resource.startsWith("mlops:"));
    assert.deepEqual(changed.sort(), [
      "command:local:Command mlops-prod-app-migrate",
      "command:local:Command mlops-prod-backup-stack-write",
      "command:local:Command mlops-prod-image-app-pull",
      ...["check", "drain", "gate", "record", "switch"].map(
        (step) => `command:local:Command mlops-prod-release-${step}`,
      ),
      "docker:index/container:Container mlops-prod-app-0",
      "docker:index/container:Container mlops-prod-app-1",
      "docker:index/remoteImage:RemoteImage mlops-prod-image-app",
    ]);
  });
});
