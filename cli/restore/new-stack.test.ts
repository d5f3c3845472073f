import assert from "node:assert/strict";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { parse } from "yaml";
import { ensureStackConfig } from "./new-stack";

void describe("the configuration of a stack that holds a copy of another's data", () => {
  let root: string;
  before(async () => {
    root = await mkdtemp(join(tmpdir(), "mlops-new-stack-"));
    await writeFile(
      join(root, "Pulumi.prod.yaml"),
      [
        "encryptionsalt: v1:abc",
        "config:",
        '  mlops:requireTag: "true"',
        "  mlops:bindAddress: 0.0.0.0",
        "  mlops:host: api.example.com",
        '  mlops:httpPort: "80"',
        '  mlops:mlflowHostPort: "5000"',
        '  mlops:appHostPort: "0"',
        '  mlops:protectData: "true"',
        "  mlops:backupRepository: /srv/backups",
        "  mlops:backupKey:",
        "    secure: v1:xyz",
        "",
      ].join("\n"),
    );
  });
  after(() => rm(root, { recursive: true, force: true }));
  const configOf = async (stack: string): Promise<Record<string, string>> => {
    const text = await readFile(join(root, `Pulumi.${stack}.yaml`), "utf8");
    const { config, ...rest } = parse(text) as { config: Record<string, string> };
    assert.deepEqual(rest, {});
    return config;
  };

  void it("has neither the other's repository, secrets and addresses, nor its ports", async () => {
    assert.equal(await ensureStackConfig({ root }, "look", "prod"), true);
    const config = await configOf("look");
    const { "mlops:httpPort": http, "mlops:httpsPort": https, "mlops:mlflowHostPort": mlflow, ...rest } = config; // prettier-ignore
    assert.deepEqual(rest, { "mlops:requireTag": "true", "mlops:appHostPort": "0" });
    const ports = [http, https, mlflow].map(Number);
    assert.equal(new Set(ports).size, 3);
    assert.ok(
      ports.every((port) => port > 1024),
      ports.join(", "),
    );
  });

  void it("stays as it is where there is one", async () => {
    const before = await configOf("look");
    assert.equal(await ensureStackConfig({ root }, "look", "prod"), false);
    assert.deepEqual(await configOf("look"), before);
  });

  for (const name of ["", "../up", "Look", "-x"])
    void it(`is not made under the name "${name}"`, async () => {
      await assert.rejects(ensureStackConfig({ root }, name, "prod"), /is no name for a stack/);
    });
});
