import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { resolve } from "node:path";
import { describe, it } from "node:test";
import { mlops } from "./testing/program";

void describe("the command line", () => {
  void it("lists every command, and every command has an example", async () => {
    const { exitCode, stdout } = await mlops(["--help"]);
    assert.equal(exitCode, 0);
    const names = [...stdout.matchAll(/^ {2}(\w+) .*\[(?:options|command)\]/gm)].map(
      ([, name]) => name,
    );
    assert.ok(names.length >= 12, stdout);
    for (const name of names.filter((name) => name !== "help")) {
      const help = await mlops([name ?? "", "--help"]);
      assert.equal(help.exitCode, 0);
      assert.match(help.stdout, new RegExp(`Examples?:\\n  .*mlops ${name}`), name);
    }
  });

  void it("does without the program that Pulumi runs, which takes longer to load than all else", async () => {
    await mlops(["--help"]);
    const bundle = await readFile(resolve(__dirname, "..", "dist", "cli.cjs"), "utf8");
    // A type that only the program registers.
    assert.doesNotMatch(bundle, /mlops:platform:Platform/);
  });

  for (const [args, complaint] of [
    [["nope"], /unknown command 'nope'/],
    [["status", "--nope"], /unknown option '--nope'/],
    [["build"], /missing required argument 'tag'/],
    [["rotate", "nginx"], /'nginx' is invalid .+ Allowed choices are postgres, redis, mlflow, all/],
    [["logs", "--tail", "many"], /Expected a number of lines/],
    [["test", "--only", "nope"], /There is lint, shell, go, unit/],
    [["bench", "--runs", "0"], /Expected 1 to 999/],
    [["predict", "--rows", "[]", "--file", "x"], /cannot be used with option/],
  ] as const)
    void it(`refuses "${args.join(" ")}" with the reason, and an exit code that is not 0`, async () => {
      const { exitCode, stdout, stderr } = await mlops(args);
      assert.equal(exitCode, 1);
      assert.equal(stdout, "");
      assert.match(stderr, complaint);
      assert.match(stderr, /\.\/mlops .*--help/);
    });

  void it("shows where an error happened only when it is asked to", async () => {
    const args = ["preview", "--stack", "nope"];
    assert.doesNotMatch((await mlops(args)).stderr, /\n\s+at /);
    assert.match((await mlops(args, { DEBUG: "1" })).stderr, /\n\s+at /);
  });

  for (const [args, complaint] of [
    [["predict", "--rows", "x"], /--rows is not JSON/],
    [["predict", "--rows", '{"a": 1}'], /--rows has no list of rows/],
    [["predict", "--file", "/no/such/file"], /\/no\/such\/file cannot be read \(ENOENT\)/],
    [["build", "latest"], /"latest" is not a release/],
    [["build", "not/a/tag"], /TAG: "not\/a\/tag" is not an image tag/],
    [["up", "--stack", "prod"], /TAG: is missing/],
  ] as const)
    void it(`refuses "${args.join(" ")}" before anything is touched`, async () => {
      const { exitCode, stdout, stderr } = await mlops(args, {
        TAG: "",
        // Nothing answers there: whoever asked Docker first would fail otherwise.
        DOCKER_HOST: "unix:///no/such/socket",
      });
      assert.equal(exitCode, 1);
      assert.equal(stdout, "");
      assert.match(stderr, complaint);
    });
});
