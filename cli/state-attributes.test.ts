import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { writeFileAtomically } from "./files";
import { removeTornAttributes } from "./state-attributes";
import { temporaryFolder } from "./testing/context";

const WHOLE = '{"user.content_type":"application/json","md5":"AA=="}\n';

void describe("removeTornAttributes", () => {
  void it("removes what a kill left half-written, of this stack only, and nothing that is whole", async (test) => {
    const folder = await temporaryFolder(test);
    const stacks = join(folder, ".pulumi/stacks/mlops");
    const history = join(folder, ".pulumi/history/mlops/dev");
    const files = {
      [join(stacks, "dev.json.attrs")]: "",
      [join(stacks, "dev.json.bak.attrs")]: WHOLE,
      [join(stacks, "dev.json")]: "",
      [join(stacks, "development.json.attrs")]: "",
      [join(history, "dev-1.history.json.attrs")]: WHOLE.slice(0, 20),
      [join(history, "dev-2.history.json.attrs")]: WHOLE,
    };
    for (const [path, content] of Object.entries(files)) await writeFileAtomically(path, content);
    await removeTornAttributes(folder, "dev");
    assert.deepEqual(
      Object.keys(files).filter((path) => !existsSync(path)),
      [join(stacks, "dev.json.attrs"), join(history, "dev-1.history.json.attrs")],
    );
  });

  void it("has nothing to do where there is no state yet", async (test) => {
    await removeTornAttributes(await temporaryFolder(test), "dev");
  });
});
