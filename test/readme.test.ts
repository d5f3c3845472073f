import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { describe, it } from "node:test";
import { runProgram } from "./sandbox";

/** Pages whose commands have to be there. */
const PAGES = ["README.md", "docs/recovering.md"];
/** Commands that have commands of their own. */
const GROUPS = new Set(["drill", "model"]);

/** Every use of `./mlops` in a text: its command and the options it is given. */
function commandsOf(text: string): Map<string, Set<string>> {
  const commands = new Map<string, Set<string>>();
  for (const [, first = "", rest = ""] of text.matchAll(/\.\/mlops ([a-z]+)([^`\n|)"]*)/g)) {
    const second = GROUPS.has(first) ? /^ [a-z]+/.exec(rest)?.[0] : undefined;
    const name = `${first}${second ?? ""}`;
    const options = commands.get(name) ?? new Set<string>();
    for (const [option] of rest.matchAll(/--[a-z-]+/g)) options.add(option);
    commands.set(name, options);
  }
  return commands;
}

void describe("the documentation", () => {
  const pages = PAGES.map((path) => ({ path, text: readFileSync(path, "utf8") }));
  const commands = commandsOf(pages.map(({ text }) => text).join("\n"));

  void it("shows commands", () => {
    for (const name of ["up", "train", "predict", "test"]) assert.ok(commands.has(name), name);
  });

  for (const [name, options] of commands)
    void it(`./mlops ${name} exists, with its options and an example in its help`, async () => {
      const { exitCode, output } = await runProgram("./mlops", [...name.split(" "), "--help"]);
      assert.equal(exitCode, 0, output);
      assert.match(output, /example/i);
      for (const option of options) assert.ok(output.includes(option), `${option} of ${name}`);
    });

  for (const { path, text } of pages)
    void it(`links from ${path} to files that are there`, () => {
      for (const [, link = ""] of text.matchAll(/\]\((?!https?:)([^)#]+)\)/g))
        assert.doesNotThrow(() => readFileSync(join(dirname(path), link)), link);
    });
});
