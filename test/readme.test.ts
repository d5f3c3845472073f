import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, it } from "node:test";
import { runProgram } from "./sandbox";

/** Every use of `./mlops` in the README: its command and the options it is given. */
function commandsOf(readme: string): Map<string, Set<string>> {
  const commands = new Map<string, Set<string>>();
  for (const [, name = "", rest = ""] of readme.matchAll(/\.\/mlops ([a-z]+)([^`\n|)"]*)/g)) {
    const options = commands.get(name) ?? new Set<string>();
    for (const [option] of rest.matchAll(/--[a-z-]+/g)) options.add(option);
    commands.set(name, options);
  }
  return commands;
}

void describe("the README", () => {
  const readme = readFileSync("README.md", "utf8");
  const commands = commandsOf(readme);

  void it("shows commands", () => {
    for (const name of ["up", "train", "predict", "test"]) assert.ok(commands.has(name), name);
  });

  for (const [name, options] of commands)
    void it(`./mlops ${name} exists, with its options and an example in its help`, async () => {
      const { exitCode, output } = await runProgram("./mlops", [name, "--help"]);
      assert.equal(exitCode, 0, output);
      assert.match(output, /example/i);
      for (const option of options) assert.ok(output.includes(option), `${option} of ${name}`);
    });

  void it("links to files that are there", () => {
    for (const [, path = ""] of readme.matchAll(/\]\((?!https?:)([^)#]+)\)/g))
      assert.doesNotThrow(() => readFileSync(path), path);
  });
});
