import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { mkdir, readdir, readFile, rename, rm, symlink } from "node:fs/promises";
import { homedir } from "node:os";
import { join, relative, sep } from "node:path";
import type { Context } from "../context";
import { CommandError, messageOf } from "../errors";
import { withLock } from "../lock";
import type { Step } from "../step";
import { runSetUpStep } from "./durations";
import { findPrograms, searchPath } from "./programs";

/** Long enough for the archive on a slow line; a host that cannot be reached is known at once. */
const DOWNLOAD_TIMEOUT_MS = 10 * 60_000;

/** What `toolchain/targets.json` says. */
interface Targets {
  /** Flags of `go build`, the same for all, so that what they share is compiled once. */
  readonly flags: readonly string[];
  readonly targets: readonly Target[];
}

/** A program that is built from `toolchain/`. */
interface Target {
  /** File name of the program. */
  readonly name: string;
  /** Folder of the Go module, relative to `toolchain/`. */
  readonly module: string;
  /** What is given to `go build` there. */
  readonly package: string;
  /** Flags for the linker, such as the version that the program is to report. */
  readonly ldflags?: string;
  /** Folder of Pulumi's plugin cache in which Pulumi looks for it, if it is a provider plugin. */
  readonly plugin?: string;
}

/** The Pulumi command line. */
export interface PulumiProgram {
  /** `pulumi` on PATH, or its absolute path. */
  readonly program: string;
  /** Undefined where it was not this project that chose it. */
  readonly version: string | undefined;
}

/** The Pulumi command line and its plugins. */
export interface Toolchain {
  readonly pulumi: PulumiProgram;
  /** Variables that Pulumi needs with it. */
  readonly env: Readonly<Record<string, string>>;
}

/**
 * Makes sure of Pulumi: the one on PATH, else the official download, else built from
 * `toolchain/`. Plugins come with the build; with the others Pulumi gets them by itself.
 *
 * @param download how the official release is had.
 */
export async function ensureToolchain(
  context: Context,
  retry: string,
  download: Download = officialDownload,
): Promise<Toolchain> {
  const folder = join(context.cacheDir, "toolchain");
  if (await isOnPath(context, folder))
    return { pulumi: { program: "pulumi", version: undefined }, env: {} };
  const version = await sdkVersion(context);
  const programIn = (root: string): PulumiProgram => ({
    program: join(root, "bin", "pulumi"),
    version,
  });
  const downloaded = join(context.cacheDir, "pulumi", version);
  const official: Toolchain = { pulumi: programIn(downloaded), env: {} };
  if (existsSync(downloaded)) return official;
  const built = join(folder, await contentHash(context));
  const own: Toolchain = { pulumi: programIn(built), env: builtEnvironment(context, built) };
  if (existsSync(built)) return own;
  return withLock(context, "toolchain", async () => {
    if (existsSync(built)) return own;
    if (existsSync(downloaded) || (await download(context, downloaded, retry))) return official;
    await runSetUpStep(
      context,
      { name: "toolchain", title: "Building Pulumi and its plugins from toolchain/", retry },
      (step) => build(context, step, built),
    );
    context.terminal.note(`Pulumi: built from toolchain/, kept in ${built}`);
    return own;
  });
}

/**
 * Plugins are taken from the build's own plugin cache: those on PATH Pulumi warns about, and the
 * caller's cache is for the official ones. Logins stay where the caller has them.
 */
function builtEnvironment(context: Context, built: string): Record<string, string> {
  const callersHome = context.env["PULUMI_HOME"] ?? join(homedir(), ".pulumi");
  return {
    PULUMI_HOME: join(built, "home"),
    PULUMI_CREDENTIALS_PATH: context.env["PULUMI_CREDENTIALS_PATH"] ?? callersHome,
    PULUMI_IGNORE_AMBIENT_PLUGINS: "true",
    PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION: "true",
  };
}

/** Whether a Pulumi that is not from this project's own cache is on PATH. */
async function isOnPath(context: Context, cache: string): Promise<boolean> {
  const folders = (context.env["PATH"] ?? "")
    .split(":")
    .filter((folder) => folder !== "" && !folder.startsWith(cache + sep));
  return (await findPrograms("pulumi", folders)).length > 0;
}

/** Version of the SDK that the program uses; the command line has to be of the same. */
async function sdkVersion(context: Context): Promise<string> {
  const file = join(context.root, "node_modules", "@pulumi", "pulumi", "package.json");
  const { version } = JSON.parse(await readFile(file, "utf8")) as { version: string };
  return version;
}

/** Gets a release into a folder, whole or not at all. Resolves to whether it could be had. */
export type Download = (context: Context, target: string, retry: string) => Promise<boolean>;

/** Gets the official release by Pulumi's own installer. */
async function officialDownload(context: Context, target: string, retry: string): Promise<boolean> {
  const partial = `${target}.partial`;
  await rm(partial, { recursive: true, force: true });
  let refusal: string | undefined;
  await runSetUpStep(
    context,
    { name: "pulumi-download", title: "Looking for Pulumi's official download", retry },
    async (step) => {
      const { PulumiCommand } = await import("@pulumi/pulumi/automation/index.js");
      const timeout = new Promise<never>((_, reject) => {
        setTimeout(() => {
          reject(new Error("it took too long"));
        }, DOWNLOAD_TIMEOUT_MS).unref();
      });
      try {
        await Promise.race([PulumiCommand.install({ root: partial }), timeout]);
        await rename(partial, target);
      } catch (error) {
        refusal = messageOf(error).split("\n")[0] ?? "";
        step.say(refusal);
        await rm(partial, { recursive: true, force: true });
      }
    },
  );
  context.terminal.note(
    refusal === undefined
      ? `Pulumi: official download, kept in ${target}`
      : `Pulumi: no official download (${refusal})`,
  );
  return refusal === undefined;
}

async function build(context: Context, step: Step, target: string): Promise<void> {
  const folder = join(context.root, "toolchain");
  const [go] = await findPrograms("go", [...searchPath(context.env), "/usr/local/go/bin"]);
  if (go === undefined)
    throw new CommandError(
      "Pulumi is not installed, cannot be downloaded here, and there is no Go to build it with.",
      `Install Go ${await goVersion(folder)} or newer, or Pulumi itself, then run the command again.`,
    );
  // Kept when a build is killed: what is finished in it is not built again.
  const partial = `${target}.partial`;
  const { flags, targets } = await readTargets(folder);
  await mkdir(join(partial, "bin"), { recursive: true });
  for (const [index, { name, module, package: pkg, ldflags = "", plugin }] of targets.entries()) {
    const program = join(partial, "bin", name);
    if (plugin !== undefined) await linkPlugin(join(partial, "home", "plugins", plugin), name);
    if (existsSync(program)) continue;
    step.say(`${name} (${index + 1} of ${targets.length})`);
    const args = ["build", `-ldflags=-s -w ${ldflags}`, "-o", `${program}.partial`, pkg];
    // Go says what it downloads and nothing while it compiles, which is what takes the time.
    const options = { cwd: join(folder, module), env: goEnvironment(flags), quiet: true };
    await step.run(go, args, options);
    await rename(`${program}.partial`, program);
  }
  await rename(partial, target);
}

async function readTargets(folder: string): Promise<Targets> {
  return JSON.parse(await readFile(join(folder, "targets.json"), "utf8")) as Targets;
}

/** Variables with which the Go tests use what the build has compiled. */
export async function goTestEnvironment(folder: string): Promise<Record<string, string>> {
  return goEnvironment((await readTargets(folder)).flags);
}

/** A workspace or flags of the user's own must not change what is built. */
function goEnvironment(flags: readonly string[]): Record<string, string> {
  return {
    GOWORK: "off",
    GOFLAGS: ["-mod=readonly", "-buildvcs=false", ...flags].join(" "),
    CGO_ENABLED: "0",
  };
}

/** Makes a folder of the plugin cache; it has to be one, but the program in it may be a link. */
async function linkPlugin(folder: string, name: string): Promise<void> {
  await mkdir(folder, { recursive: true });
  await rm(join(folder, name), { force: true });
  await symlink(join("..", "..", "..", "bin", name), join(folder, name));
}

async function goVersion(source: string): Promise<string> {
  const module = await readFile(join(source, "go.mod"), "utf8");
  return /^go (\S+)$/m.exec(module)?.[1] ?? "";
}

/** Hash of all files that the programs are built from, and of the kind of machine. */
async function contentHash(context: Context): Promise<string> {
  const source = join(context.root, "toolchain");
  const entries = await readdir(source, { recursive: true, withFileTypes: true });
  const files = entries
    .filter((entry) => entry.isFile() && !/(_test\.go|\.ts|\.md)$/.test(entry.name))
    .map((entry) => relative(source, join(entry.parentPath, entry.name)))
    .sort();
  const contents = await Promise.all(files.map((file) => readFile(join(source, file))));
  const hash = createHash("sha256").update(`${process.platform} ${process.arch}\0`);
  for (const [index, content] of contents.entries())
    hash.update(`${files[index]}\0${content.length}\0`).update(content);
  return hash.digest("hex").slice(0, 16);
}
