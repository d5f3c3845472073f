import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { it } from "node:test";
import { declaredKeys } from "./project";
import { withReference } from "./reference";

void it("the README's configuration reference is what Pulumi.yaml declares", () => {
  const readme = readFileSync("README.md", "utf8");
  const expected = withReference(readme, declaredKeys("."));
  if (process.env.UPDATE === "1") writeFileSync("README.md", expected);
  else assert.equal(readme, expected, "bring it up to date with: npm run reference");
});
