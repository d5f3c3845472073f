import assert from "node:assert/strict";
import { cp, mkdir, readdir, rm, stat, symlink, utimes, writeFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { describe, it, type TestContext } from "node:test";
import { runProgram, type Ended } from "../cli/exec";
import { temporaryFolder } from "../cli/testing/context";

const ROOT = resolve(__dirname, "..");

/** A project with this one's bundler and a program of two files. */
async function project(test: TestContext): Promise<string> {
  const root = await temporaryFolder(test);
  await mkdir(join(root, "bin"));
  await mkdir(join(root, "cli"));
  await cp(join(ROOT, "bin", "bundle.cjs"), join(root, "bin", "bundle.cjs"));
  await symlink(join(ROOT, "node_modules"), join(root, "node_modules"));
  await writeFile(join(root, "package.json"), "{}");
  await writeFile(join(root, "package-lock.json"), "{}");
  await writeFile(
    join(root, "cli", "main.ts"),
    'import { word } from "./word"; console.log(word);',
  );
  await write(root, "first");
  return root;
}

/** Writes the second file so that the program says a word. */
const write = (root: string, word: string): Promise<void> =>
  writeFile(join(root, "cli", "word.ts"), `export const word: string = ${JSON.stringify(word)};`);

const SAY = 'require(require("./bin/bundle.cjs").bundle("cli"))';

const say = (root: string): Promise<Ended> =>
  runProgram(process.execPath, ["--eval", SAY], { cwd: root, reject: false });

const bundledAt = async (root: string): Promise<number> =>
  (await stat(join(root, "dist", "cli.cjs"))).mtimeMs;

void describe("bundle", () => {
  void it("is built when it is missing, and then no more", async (test) => {
    const root = await project(test);
    assert.equal((await say(root)).stdout, "first");
    const builtAt = await bundledAt(root);
    assert.equal((await say(root)).stdout, "first");
    assert.equal(await bundledAt(root), builtAt);
    assert.deepEqual(await readdir(join(root, "dist")), ["cli.cjs"]);
  });

  void it("follows a change in any of its files", async (test) => {
    const root = await project(test);
    await say(root);
    await write(root, "second");
    assert.equal((await say(root)).stdout, "second");
  });

  void it("follows a file that was replaced by an older one", async (test) => {
    const root = await project(test);
    await say(root);
    await write(root, "older");
    await utimes(join(root, "cli", "word.ts"), new Date(0), new Date(0));
    assert.equal((await say(root)).stdout, "older");
  });

  void it("is built again when the installed packages change", async (test) => {
    const root = await project(test);
    await say(root);
    const builtAt = await bundledAt(root);
    await writeFile(join(root, "package-lock.json"), '{"changed": true}');
    await say(root);
    assert.notEqual(await bundledAt(root), builtAt);
  });

  void it("says what is wrong with the source, and is right again after it is corrected", async (test) => {
    const root = await project(test);
    await say(root);
    await writeFile(join(root, "cli", "word.ts"), "export const word = ;");
    const broken = await say(root);
    assert.notEqual(broken.exitCode, 0);
    assert.match(broken.stderr, /cli\/word\.ts:1:20/);
    assert.match(broken.stderr, /cli\/main\.ts could not be compiled/);
    await write(root, "mended");
    assert.equal((await say(root)).stdout, "mended");
  });

  void it("says which file is gone", async (test) => {
    const root = await project(test);
    await say(root);
    await rm(join(root, "cli", "word.ts"));
    assert.match((await say(root)).stderr, /Could not resolve ".\/word"/);
  });

  void it("is whole when several processes build it at once", async (test) => {
    const root = await project(test);
    const said = await Promise.all([1, 2, 3, 4].map(() => say(root)));
    assert.deepEqual(
      said.map(({ stdout }) => stdout),
      ["first", "first", "first", "first"],
    );
  });

  void it("does not mind what a killed build left, nor a bundle that was cut off", async (test) => {
    const root = await project(test);
    await mkdir(join(root, "dist"));
    await writeFile(join(root, "dist", "cli.cjs.123.partial"), "garbage");
    await writeFile(join(root, "dist", "cli.cjs"), "console.log('old'");
    assert.equal((await say(root)).stdout, "first");
  });
});
