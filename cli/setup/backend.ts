import { randomBytes } from "node:crypto";
import { chmod, link, mkdir, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { homedir } from "node:os";
import { join } from "node:path";
import { parse } from "yaml";
import type { Context } from "../context";
import { codeOf, CommandError, ExposedFileError, UnreadableFileError } from "../errors";

const PASSPHRASE_BYTES = 32;

/** Where Pulumi keeps state, and what opens its secrets. */
export interface Backend {
  /** Variables for Pulumi; empty where the caller has set up everything. */
  readonly env: Readonly<Record<string, string>>;
  /** Folder of the state, where it is in files on this machine. */
  readonly stateFolder: string | undefined;
  /** Where the passphrase comes from, in words for a message. */
  readonly passphraseSource: string;
}

/**
 * Chooses Pulumi's backend: the one the caller is logged in to, else files in the project's own
 * git-ignored folder, with a passphrase made once.
 *
 * @throws ExposedFileError when others can read the passphrase.
 */
export async function ensureBackend(context: Context): Promise<Backend> {
  const chosen = await callersBackend(context);
  const own = join(context.stateDir, "state");
  const url = chosen ?? `file://${own}`;
  const env: Record<string, string> = {};
  await mkdir(own, { recursive: true });
  await chmod(context.stateDir, 0o700);
  if (chosen === undefined) env["PULUMI_BACKEND_URL"] = url;
  // Pulumi Cloud keeps the keys to secrets itself.
  const file = /^https?:/.test(url) ? undefined : await ensurePassphrase(context, own);
  if (file !== undefined) env["PULUMI_CONFIG_PASSPHRASE_FILE"] = file;
  return {
    env,
    stateFolder: url.startsWith("file://") ? stateFolder(url) : undefined,
    passphraseSource: file ?? "PULUMI_CONFIG_PASSPHRASE",
  };
}

/** Folder behind a `file://` URL; `~` is the home folder, as in `pulumi login --local`. */
function stateFolder(url: string): string {
  const path = url.slice("file://".length).replace(/\?.*$/, "");
  return path === "~" || path.startsWith("~/") ? join(homedir(), path.slice(1)) : path;
}

/** The backend the caller has chosen in one of Pulumi's own ways, or undefined. */
async function callersBackend(context: Context): Promise<string | undefined> {
  const { env } = context;
  const url = env["PULUMI_BACKEND_URL"];
  if (url !== undefined && url !== "") return url;
  const project = parse(await readFile(join(context.root, "Pulumi.yaml"), "utf8")) as {
    backend?: { url?: string };
  };
  if (project.backend?.url !== undefined) return project.backend.url;
  const home = env["PULUMI_HOME"] ?? join(homedir(), ".pulumi");
  const file = join(env["PULUMI_CREDENTIALS_PATH"] ?? home, "credentials.json");
  try {
    const { current } = JSON.parse(await readFile(file, "utf8")) as { current?: string };
    return current === "" ? undefined : current;
  } catch (error) {
    if (codeOf(error) === "ENOENT") return undefined;
    throw new UnreadableFileError(file, String(error), "Log in again: pulumi login");
  }
}

/** The passphrase file to name to Pulumi, or undefined where the caller gives the passphrase. */
async function ensurePassphrase(context: Context, state: string): Promise<string | undefined> {
  if (context.env["PULUMI_CONFIG_PASSPHRASE"] !== undefined) return undefined;
  const given = context.env["PULUMI_CONFIG_PASSPHRASE_FILE"];
  if (given !== undefined && given !== "") {
    await refuseExposed(given);
    return given;
  }
  const own = join(context.stateDir, "passphrase");
  if (!(await refuseExposed(own))) {
    if (await hasStacks(state))
      throw new CommandError(
        `${own} is gone, and the stacks in ${state} cannot be opened without it.`,
        "Put the file back, or set PULUMI_CONFIG_PASSPHRASE_FILE to where it is now.",
      );
    await createPassphrase(own);
  }
  return own;
}

/** Whether the file is there; throws if others than its owner can read it. */
async function refuseExposed(file: string): Promise<boolean> {
  try {
    const { mode } = await stat(file);
    if ((mode & 0o077) !== 0) throw new ExposedFileError(file, mode);
    return true;
  } catch (error) {
    if (codeOf(error) === "ENOENT") return false;
    throw error;
  }
}

async function hasStacks(state: string): Promise<boolean> {
  const entries = await readdir(join(state, ".pulumi", "stacks"), { recursive: true }).catch(
    () => [],
  );
  return entries.some((entry) => /\.json(\.gz)?$/.test(entry));
}

/** Two processes at once agree on one passphrase: only one of them can make the link. */
async function createPassphrase(file: string): Promise<void> {
  const partial = `${file}.${process.pid}.partial`;
  const passphrase = randomBytes(PASSPHRASE_BYTES).toString("base64url");
  try {
    await writeFile(partial, passphrase, { mode: 0o600, flush: true });
    await link(partial, file);
  } catch (error) {
    if (codeOf(error) !== "EEXIST") throw error;
  } finally {
    await rm(partial, { force: true });
  }
}
