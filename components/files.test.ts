import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, readdirSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, it } from "node:test";
import { writeScript } from "./files";

/** Runs a script on a folder of this machine, as the one-off container would on its volume. */
function run(folder: string, script: string): void {
  execFileSync("sh", ["-s"], { input: script.replace("cd /files", `cd ${folder}`) });
}

void describe("writeScript", () => {
  const folder = mkdtempSync(join(tmpdir(), "mlops-files-"));
  after(() => {
    rmSync(folder, { recursive: true });
  });
  const owner = `${process.getuid?.() ?? 0}:${process.getgid?.() ?? 0}`;
  const args = { files: {}, prepare: "", check: "", user: owner, mode: "0400" };

  void it("writes any content byte for byte, readable by the owner only", () => {
    const content = "it's $HOME `id` \\n\nEND\n€ \u0000 end";
    run(folder, writeScript({ ...args, files: { secret: content } }));
    assert.equal(readFileSync(join(folder, "secret"), "utf8"), content);
    assert.equal(statSync(join(folder, "secret")).mode & 0o777, 0o400);
  });

  void it("writes an empty file", () => {
    run(folder, writeScript({ ...args, files: { empty: "" } }));
    assert.equal(readFileSync(join(folder, "empty"), "utf8"), "");
  });

  void it("replaces what it wrote before", () => {
    run(folder, writeScript({ ...args, files: { secret: "second" } }));
    assert.equal(readFileSync(join(folder, "secret"), "utf8"), "second");
  });

  void it("keeps every old file when the new ones do not pass their check", () => {
    const files = { secret: "third", other: "third" };
    const script = writeScript({ ...args, files, check: "grep -q fourth .secret.new" });
    assert.throws(() => {
      run(folder, script);
    });
    assert.equal(readFileSync(join(folder, "secret"), "utf8"), "second");
    assert.deepEqual(readdirSync(folder).sort(), ["empty", "secret"]);
  });

  void it("prepares the folder after the files are written", () => {
    run(folder, writeScript({ ...args, files: { secret: "5" }, prepare: "ln -s secret link" }));
    assert.equal(readFileSync(join(folder, "link"), "utf8"), "5");
  });

  void it("refuses a name with a path in it", () => {
    assert.throws(() => writeScript({ ...args, files: { "../passwd": "" } }), RangeError);
  });
});
