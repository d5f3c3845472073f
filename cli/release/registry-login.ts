import { readFile } from "node:fs/promises";
import { homedir } from "node:os";
import { join } from "node:path";
import type Docker from "dockerode";
import { codeOf, UnreadableFileError } from "../errors";
import { runProgram } from "../exec";

/** The parts of the Docker client's `config.json` in which logins are. */
interface ClientConfig {
  readonly auths?: Readonly<Record<string, StoredLogin>>;
  /** Name of the program that keeps all logins. */
  readonly credsStore?: string;
  /** Name of the program that keeps a host's login. */
  readonly credHelpers?: Readonly<Record<string, string>>;
}

interface StoredLogin {
  /** Base64 of `user:password`. */
  readonly auth?: string;
  readonly identitytoken?: string;
}

/** What a credential helper answers. */
interface HelperAnswer {
  readonly Username: string;
  readonly Secret: string;
}

/** By this user name a helper says that its secret is a token. */
const TOKEN_USER = "<token>";

/**
 * Host of the registry that an image reference names, or undefined where it names none and Docker
 * takes its own. The rule is that of Docker's reference grammar: a first part with a dot or a port.
 */
export function registryHost(reference: string): string | undefined {
  const [first = "", ...rest] = reference.split("/");
  return rest.length > 0 && (/[.:]/.test(first) || first === "localhost") ? first : undefined;
}

/**
 * The login for a registry that `docker login` has kept, by the rules of the Docker client: a helper
 * for the host, then the helper for all, then the file itself; `DOCKER_CONFIG` names its folder.
 *
 * @param server host of the registry, or the address under which Docker knows its own.
 * @returns undefined where nobody has logged in.
 * @throws UnreadableFileError
 */
export async function readLogin(
  env: Readonly<NodeJS.ProcessEnv>,
  server: string,
): Promise<Docker.AuthConfigObject | undefined> {
  const config = await readClientConfig(env);
  const helper = config.credHelpers?.[server] ?? config.credsStore;
  if (helper !== undefined && helper !== "") {
    const kept = await askHelper(env, helper, server);
    if (kept !== undefined) return { ...kept, serveraddress: server };
  }
  const stored = Object.entries(config.auths ?? {}).find(
    ([key]) => key === server || hostOf(key) === hostOf(server),
  )?.[1];
  if (stored === undefined) return undefined;
  if (stored.identitytoken !== undefined && stored.identitytoken !== "")
    return { identitytoken: stored.identitytoken, serveraddress: server };
  const [username = "", ...password] = Buffer.from(stored.auth ?? "", "base64")
    .toString("utf8")
    .split(":");
  if (username === "") return undefined;
  return { username, password: password.join(":"), serveraddress: server };
}

async function readClientConfig(env: Readonly<NodeJS.ProcessEnv>): Promise<ClientConfig> {
  const named = env["DOCKER_CONFIG"] ?? "";
  const file = join(named === "" ? join(homedir(), ".docker") : named, "config.json");
  try {
    return JSON.parse(await readFile(file, "utf8")) as ClientConfig;
  } catch (error) {
    if (codeOf(error) === "ENOENT") return {};
    const reason = error instanceof SyntaxError ? "it is not JSON" : (codeOf(error) ?? "");
    throw new UnreadableFileError(
      file,
      reason,
      "It is the Docker client's: correct it, or remove it and log in again with docker login.",
    );
  }
}

/** Asks the program that keeps a login. It speaks the protocol of docker-credential-helpers. */
async function askHelper(
  env: Readonly<NodeJS.ProcessEnv>,
  helper: string,
  server: string,
): Promise<Pick<Docker.AuthConfigObject, "username" | "password" | "identitytoken"> | undefined> {
  const { failed, stdout } = await runProgram(`docker-credential-${helper}`, ["get"], {
    env,
    input: server,
    reject: false,
  });
  if (failed) return undefined;
  const { Username, Secret } = JSON.parse(stdout) as HelperAnswer;
  return Username === TOKEN_USER
    ? { identitytoken: Secret }
    : { username: Username, password: Secret };
}

/** Old clients kept a login under a URL. */
const hostOf = (key: string): string => key.replace(/^https?:\/\//, "").replace(/\/.*$/, "");
