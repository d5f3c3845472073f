import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { parseDocument } from "yaml";
import { NAMESPACE } from "../../config/reader";
import type { Context } from "../context";
import { CommandError } from "../errors";
import { writeFileAtomically } from "../files";
import { freePorts } from "../ports";

/** What a copy has of its own, by key without the namespace: it is for looking, on this host alone. */
const OWN = [/^bindAddress$/, /^host$/, /^protectData$/, /^backup/];

interface StackFile {
  readonly config?: Readonly<Record<string, unknown>>;
}

/** Keys of ports of the host that are free to be chosen. */
const HOST_PORT = /HostPort$/;

/**
 * Makes the configuration file of a stack that holds a copy of another's data: the same, on free
 * ports, without its secrets, and with backups of its own. One that is there stays.
 *
 * @returns whether it was made.
 * @throws CommandError for a name that is none.
 */
export async function ensureStackConfig(
  { root }: Pick<Context, "root">,
  stack: string,
  like: string,
): Promise<boolean> {
  if (!/^[a-z0-9][a-z0-9-]{0,62}$/.test(stack))
    throw new CommandError(
      `"${stack}" is no name for a stack; nothing was changed.`,
      "Use lower-case letters, digits and dashes, such as --into look.",
    );
  const file = join(root, `Pulumi.${stack}.yaml`);
  if (existsSync(file)) return false;
  const document = parseDocument(await readFile(join(root, `Pulumi.${like}.yaml`), "utf8"));
  document.delete("encryptionsalt");
  const ports = new Set(["httpPort", "httpsPort"]);
  for (const [full, value] of Object.entries((document.toJS() as StackFile).config ?? {})) {
    const key = full.slice(full.indexOf(":") + 1);
    if (HOST_PORT.test(key) && String(value) !== "0") ports.add(key);
    const isSecret = typeof value === "object";
    if (isSecret || OWN.some((pattern) => pattern.test(key))) document.deleteIn(["config", full]);
  }
  const free = await freePorts(ports.size);
  for (const [index, key] of [...ports].entries())
    document.setIn(["config", `${NAMESPACE}:${key}`], String(free[index]));
  await writeFileAtomically(file, document.toString());
  return true;
}
