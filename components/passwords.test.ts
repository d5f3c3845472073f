import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { PASSWORDS } from "./passwords";
import { recordStack, stackConfig, writtenFiles } from "./testing/stack";

void describe("passwords", async () => {
  const stack = await recordStack(stackConfig("prod"));
  const names = [...new Set<string>(Object.values(PASSWORDS).flat())];

  void it("can all be rotated, but for the keys that data was made with", () => {
    const generated = stack
      .ofType("random:index/randomPassword:RandomPassword")
      .map(({ name }) => name.replace(`${stack.prefix}-`, ""));
    assert.deepEqual(
      generated.sort(),
      [...names, "app-secret-key", "backup-store-generated-key"].sort(),
    );
  });

  void it("restart nothing but exporters when they change", () => {
    const passwords = names.map((name) => `password-of-${stack.prefix}-${name}`);
    const written = stack
      .ofType("command:local:Command")
      .filter((write) =>
        Object.values(writtenFiles(write)).some((content) =>
          passwords.some((password) => content.includes(password)),
        ),
      )
      .map(({ name }) => `${name}-id`);
    assert.equal(written.length, 6, written.join());
    const replaced = stack
      .ofType("docker:index/container:Container")
      .filter(({ inputs }) => {
        const labels = inputs.labels as { label: string; value: string }[];
        const files = labels.find(({ label }) => label === "mlops.files")?.value.split(",") ?? [];
        return files.some((file) => written.includes(file));
      })
      .map(({ name }) => name);
    assert.deepEqual(replaced, ["mlops-prod-postgres-exporter", "mlops-prod-redis-exporter"]);
  });
});
