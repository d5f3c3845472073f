import { homedir } from "node:os";
import { join } from "node:path";
import { Terminal } from "./terminal";

/** What every command gets: where things are, whom it talks to, and the caller's environment. */
export interface Context {
  /** Folder of the project, with `Pulumi.yaml`. */
  readonly root: string;
  /** Folder for what this machine keeps between runs and all checkouts share. */
  readonly cacheDir: string;
  /** Git-ignored folder for what belongs to this checkout: state, passphrase, logs. */
  readonly stateDir: string;
  /** Environment variables of the caller. */
  readonly env: Readonly<NodeJS.ProcessEnv>;
  readonly terminal: Terminal;
}

/** Builds the context of a process once, at its start. */
export function createContext(root: string, env: NodeJS.ProcessEnv): Context {
  const cacheHome =
    env["XDG_CACHE_HOME"] === undefined || env["XDG_CACHE_HOME"] === ""
      ? join(homedir(), ".cache")
      : env["XDG_CACHE_HOME"];
  return {
    root,
    cacheDir: join(cacheHome, "mlops"),
    stateDir: join(root, ".mlops"),
    env,
    terminal: new Terminal(process.stdout, process.stderr, env),
  };
}
