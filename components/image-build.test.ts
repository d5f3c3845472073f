import assert from "node:assert/strict";
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, it } from "node:test";
import { buildCommand, contextHash } from "./image-build";

void describe("contextHash", () => {
  let context: string;
  beforeEach(() => {
    context = mkdtempSync(join(tmpdir(), "mlops-context-"));
    writeFileSync(join(context, "Dockerfile"), "FROM scratch\n");
    mkdirSync(join(context, "src"));
    writeFileSync(join(context, "src", "main.py"), "print(1)\n");
    writeFileSync(join(context, ".dockerignore"), "**/__pycache__\n*.log\n");
  });
  afterEach(() => {
    rmSync(context, { recursive: true });
  });

  void it("is the same for the same content", () => {
    assert.match(contextHash(context), /^[0-9a-f]{12}$/);
    assert.equal(contextHash(context), contextHash(context));
  });

  void it("changes with content, with a name and with a run bit", () => {
    const seen = new Set([contextHash(context)]);
    writeFileSync(join(context, "src", "main.py"), "print(2)\n");
    seen.add(contextHash(context));
    writeFileSync(join(context, "src", "more.py"), "");
    seen.add(contextHash(context));
    chmodSync(join(context, "src", "more.py"), 0o755);
    seen.add(contextHash(context));
    assert.equal(seen.size, 4);
  });

  void it("ignores what .dockerignore leaves out", () => {
    const before = contextHash(context);
    mkdirSync(join(context, "src", "__pycache__"));
    writeFileSync(join(context, "src", "__pycache__", "main.pyc"), "x");
    writeFileSync(join(context, "debug.log"), "x");
    assert.equal(contextHash(context), before);
  });
});

void describe("buildCommand", () => {
  void it("quotes what it is given", () => {
    const command = buildCommand({
      context: "my app",
      reference: "mlops-app:v1",
      labels: { "org.opencontainers.image.title": "it's" },
    });
    assert.match(command, /--label 'org\.opencontainers\.image\.title=it'\\''s' 'my app'$/);
    assert.match(command, /^docker image inspect mlops-app:v1 /);
  });
});
