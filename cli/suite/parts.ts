import { open } from "node:fs/promises";
import { dirname, join } from "node:path";
import { CommandError } from "../errors";
import { aptInstall } from "../setup/apt";
import { findPrograms, searchPath } from "../setup/programs";
import { goTestEnvironment } from "../setup/toolchain";
import { runStep } from "../step";
import { findFiles } from "./files";
import type { Part, SuiteRun } from "./part";

/** Tests that are more than one unit, and the part that runs them. */
const IMAGE_TESTS = /^images\/.*\.test\.ts$/;
const APP_TESTS = "app/app.test.ts";
const INTEGRATION_TESTS = /^test\/.*\.test\.ts$/;

/** Every part, in the order in which a mistake shows soonest. */
export const PARTS: readonly Part[] = [
  { name: "lint", description: "format, lint rules and types of all TypeScript", execute: lint },
  { name: "shell", description: "shellcheck of all shell scripts", execute: shell },
  { name: "go", description: "format, vet and tests of the toolchain", execute: go },
  {
    name: "unit",
    description: "tests beside the sources",
    execute: (suite) =>
      nodeTests(
        suite,
        (path) => !IMAGE_TESTS.test(path) && path !== APP_TESTS && !INTEGRATION_TESTS.test(path),
      ),
  },
  {
    name: "images",
    description: "the service images",
    execute: (suite) => nodeTests(suite, (path) => IMAGE_TESTS.test(path)),
  },
  {
    name: "app",
    description: "the model API with real Postgres, Redis and MLflow",
    execute: (suite) => nodeTests(suite, (path) => path === APP_TESTS),
  },
  {
    name: "integration",
    description: "whole stacks, brought up and taken down",
    execute: (suite) => nodeTests(suite, (path) => INTEGRATION_TESTS.test(path)),
  },
];

async function lint({ run }: SuiteRun): Promise<boolean> {
  const bin = (name: string): string => join("node_modules", ".bin", name);
  const results = [
    await run(bin("prettier"), ["--check", "."]),
    await run(bin("eslint"), ["."]),
    await run(bin("tsc"), ["--noEmit"]),
  ];
  return results.every(Boolean);
}

async function shell({ context, run }: SuiteRun): Promise<boolean> {
  if ((await findPrograms("shellcheck", searchPath(context.env))).length === 0)
    await runStep(
      context,
      { name: "shellcheck", title: "Installing shellcheck", retry: "./mlops test --only shell" },
      (step) => aptInstall(step, ["shellcheck"]),
    );
  const scripts = [];
  for (const path of await findFiles(context.root, () => true))
    if (await isShellScript(join(context.root, path))) scripts.push(path);
  return run("shellcheck", scripts);
}

/** Decided by the first line, since most scripts have no extension. */
async function isShellScript(file: string): Promise<boolean> {
  const handle = await open(file);
  try {
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(64), 0, 64, 0);
    return /^#!.*\b(sh|bash)\b/.test(buffer.toString("utf8", 0, bytesRead));
  } finally {
    await handle.close();
  }
}

async function go({ context, run }: SuiteRun): Promise<boolean> {
  const [program] = await findPrograms("go", [...searchPath(context.env), "/usr/local/go/bin"]);
  if (program === undefined)
    throw new CommandError(
      "The tests of toolchain/ need Go, and it is not installed.",
      "Install the version that toolchain/go.mod names, then run: ./mlops test --only go",
    );
  const gofmt = join(dirname(program), "gofmt");
  const cwd = join(context.root, "toolchain");
  const options = { cwd, env: await goTestEnvironment(cwd) };
  const results = [
    // gofmt names the files that it would change, and succeeds all the same.
    await run(
      "sh",
      ["-c", 'files=$("$0" -l .) && echo "$files" && [ -z "$files" ]', gofmt],
      options,
    ),
    await run(program, ["vet", "./..."], options),
    await run(program, ["test", "./..."], options),
  ];
  return results.every(Boolean);
}

async function nodeTests(suite: SuiteRun, fits: (path: string) => boolean): Promise<boolean> {
  const { context } = suite;
  const files = await findFiles(context.root, (path) => path.endsWith(".test.ts") && fits(path));
  if (files.length === 0)
    throw new CommandError("There is no test to run.", "Take the committed tests back: git status");
  const { env } = await suite.tools();
  const args = ["--import", "tsx", "--test", "--test-reporter", "spec", ...files];
  return suite.run(process.execPath, args, { env });
}
