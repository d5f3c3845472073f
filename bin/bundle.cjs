"use strict";
// Compiles a TypeScript entry point into one file under dist/, only when that file is missing or
// stale. A start then costs one `stat` per source file; type checking is left to `./mlops test`.
const { spawnSync } = require("node:child_process");
const fs = require("node:fs");
const path = require("node:path");

const root = path.resolve(__dirname, "..");
const SEAL = "\n//# inputs=";
// Longer than any seal this project writes; a seal that does not fit is read as stale.
const SEAL_WINDOW_BYTES = 256 * 1024;

/** Leaves modules out of a bundle: what matches a filter is replaced by `contents`. */
function replace(filters, contents = "module.exports = {};") {
  return {
    name: "replace",
    setup(build) {
      for (const filter of filters) build.onLoad({ filter }, () => ({ contents, loader: "js" }));
    },
  };
}

/**
 * Pulumi notes for every promise where it was made, to name it should it never settle: a sixth of
 * the runner's time. Promises that leak are still found, and described by what they wait for.
 */
const withoutPromiseStacks = {
  name: "without-promise-stacks",
  setup(build) {
    build.onLoad({ filter: /@pulumi\/pulumi\/runtime\/debuggable\.js$/ }, ({ path: file }) => ({
      contents: fs
        .readFileSync(file, "utf8")
        .replace("value: new Error().stack", "value: undefined"),
      loader: "js",
    }));
  },
};

/**
 * Pulumi's function serialization, which only dynamic providers use, and the TypeScript support that
 * a compiled program does not need: most of the time that `@pulumi/pulumi` takes to load.
 */
const UNUSED = [
  /@pulumi\/pulumi\/(typescript-shim|runtime\/closure\/(codePaths|createClosure|package|parseFunction|rewriteSuper|serializeClosure|utils|v8)\.js$)/,
  /node_modules\/@npmcli\/arborist\//,
];

/** For a program together with Pulumi's own runner of programs. */
const runnerOptions = {
  external: ["typescript", "ts-node"],
  plugins: [
    replace([
      ...UNUSED,
      // All but the API, whose calls do nothing as long as nobody traces.
      /node_modules\/@opentelemetry\/([b-z][^/]*|api-[^/]*)\//,
      // It maps every stack trace, and Pulumi takes one for each property of each resource.
      /node_modules\/source-map-support\/register\.js$/,
    ]),
    replace([/closure\/v8Hooks\.js$/], "exports.isInitializedAsync = async () => {};"),
    withoutPromiseStacks,
  ],
};

/** What each bundle is made from. */
const bundles = {
  cli: {
    entry: "cli/main.ts",
    // Native add-ons are optional speed-ups; their packages fall back to JavaScript.
    options: {
      external: ["*.node"],
      plugins: [
        replace([
          ...UNUSED,
          /@pulumi\/pulumi\/(tracing|runtime\/closure\/v8Hooks)/,
          /node_modules\/@opentelemetry\//,
        ]),
      ],
      minify: true,
      keepNames: true,
    },
  },
  program: {
    entry: "index.ts",
    // The language host loads its own @pulumi/pulumi: a second copy would not see its state.
    options: { external: ["@pulumi/pulumi"] },
  },
  runner: { entry: "bin/runner.cjs", options: runnerOptions },
  bench: { entry: "bench/runner.cjs", options: runnerOptions },
  agent: {
    entry: "backup/main.ts",
    options: {
      banner: { js: "#!/usr/bin/env node" },
      external: ["*.node", "pg-native"],
      // Nothing in it may tell where it was made: an image is named after its content.
      minify: true,
      legalComments: "none",
    },
    /** Where an image's build takes it from. */
    copy: "images/backup/agent.cjs",
  },
};

/** "size:mtime" of a file, or "missing": what a seal remembers of each input. */
function fingerprint(file) {
  const stat = fs.statSync(path.join(root, file), { throwIfNoEntry: false });
  return stat ? `${stat.size}:${stat.mtimeMs}` : "missing";
}

/** The inputs a bundle was sealed with, or undefined when it is missing or not sealed. */
function readSeal(file) {
  let fd;
  try {
    fd = fs.openSync(file, "r");
    const { size } = fs.fstatSync(fd);
    const length = Math.min(size, SEAL_WINDOW_BYTES);
    const tail = Buffer.alloc(length);
    fs.readSync(fd, tail, 0, length, size - length);
    const text = tail.toString("utf8");
    const at = text.lastIndexOf(SEAL);
    return at < 0 ? undefined : JSON.parse(text.slice(at + SEAL.length));
  } catch {
    return undefined;
  } finally {
    if (fd !== undefined) fs.closeSync(fd);
  }
}

function isFresh(file) {
  const seal = readSeal(file);
  return (
    seal !== undefined &&
    Object.entries(seal).every(([input, sealed]) => fingerprint(input) === sealed)
  );
}

/** Inputs worth watching: own sources, and the lockfile for everything under node_modules. */
function watchedInputs(metafile) {
  const own = Object.keys(metafile.inputs).filter((input) => !input.includes("node_modules/"));
  return [...own, "bin/bundle.cjs", "package-lock.json", "package.json"];
}

const outfileOf = (name) => path.join(root, "dist", `${name}.cjs`);

async function build(name) {
  const { entry, options } = bundles[name];
  const outfile = outfileOf(name);
  const startedAt = Date.now();
  // Required here because a fresh bundle needs no compiler.
  const result = await require("esbuild").build({
    absWorkingDir: root,
    entryPoints: [entry],
    bundle: true,
    platform: "node",
    target: "node20",
    format: "cjs",
    outfile,
    write: false,
    metafile: true,
    logLevel: "error",
    logLimit: 5,
    ...options,
  });
  const seal = {};
  for (const input of watchedInputs(result.metafile)) {
    const stat = fs.statSync(path.join(root, input), { throwIfNoEntry: false });
    // An input saved while the compiler ran may have been read before the save.
    seal[input] = stat && stat.mtimeMs >= startedAt ? "changed" : fingerprint(input);
  }
  fs.mkdirSync(path.dirname(outfile), { recursive: true });
  const partial = `${outfile}.${process.pid}.partial`;
  fs.writeFileSync(partial, result.outputFiles[0].text + SEAL + JSON.stringify(seal) + "\n");
  // One rename publishes code and seal together, whoever else is building the same.
  fs.renameSync(partial, outfile);
}

/**
 * Path of an up-to-date bundle. Synchronous, because the Pulumi language host requires its program
 * so: a stale bundle is built by a second process that is waited for.
 *
 * @param {keyof typeof bundles} name
 * @returns {string}
 */
function bundle(name) {
  const outfile = outfileOf(name);
  if (!isFresh(outfile)) {
    const built = spawnSync(process.execPath, [path.join(__dirname, "bundle.cjs"), name], {
      stdio: ["ignore", "inherit", "inherit"],
    });
    if (built.status !== 0) {
      throw new Error(
        `${bundles[name].entry} could not be compiled: correct the error above and try again. ` +
          "If a module was not found, run: npm ci",
      );
    }
  }
  publish(bundles[name].copy, outfile);
  return outfile;
}

/** Keeps a copy of a bundle up to date, without the seal: that differs from checkout to checkout. */
function publish(copy, outfile) {
  if (copy === undefined) return;
  const target = path.join(root, copy);
  const text = fs.readFileSync(outfile, "utf8");
  const content = text.slice(0, text.lastIndexOf(SEAL));
  if (fs.existsSync(target) && fs.readFileSync(target, "utf8") === content) return;
  const partial = `${target}.${process.pid}.partial`;
  fs.writeFileSync(partial, content);
  fs.renameSync(partial, target);
}

module.exports = { bundle, outfileOf };

if (require.main === module) {
  build(process.argv[2]).catch((error) => {
    // esbuild has already printed its own diagnostics.
    if (!error.errors) console.error(error.message);
    process.exitCode = 1;
  });
}
