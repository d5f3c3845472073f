import { createHash } from "node:crypto";
import { readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import ignore from "ignore";
import { quote } from "./shell";

/**
 * Label with the hash of what an image was built from. By it an image is known as one that this
 * project made, and may remove again.
 */
export const CONTENT_LABEL = "mlops.content";

/**
 * Hash of everything in a build folder that reaches the image: paths, contents and run bits of all
 * files that `.dockerignore` does not leave out.
 *
 * @param context folder, relative to the project.
 * @returns 12 hexadecimal digits.
 * @throws Error if the folder or its Dockerfile cannot be read.
 */
export function contextHash(context: string): string {
  const hash = createHash("sha256");
  const ignored = ignore();
  const entries = readdirSync(context);
  if (entries.includes(".dockerignore"))
    ignored.add(readFileSync(join(context, ".dockerignore"), "utf8"));
  for (const path of filesBelow(context, "", (relative) => ignored.ignores(relative))) {
    const file = join(context, path);
    const executable = (statSync(file).mode & 0o100) !== 0;
    const content = readFileSync(file);
    hash.update(`${path}\0${executable ? "x" : "-"}\0${content.length}\0`).update(content);
  }
  return hash.digest("hex").slice(0, 12);
}

function* filesBelow(
  root: string,
  folder: string,
  isIgnored: (path: string) => boolean,
): Generator<string> {
  const entries = readdirSync(join(root, folder), { withFileTypes: true }).sort((a, b) =>
    a.name < b.name ? -1 : 1,
  );
  for (const entry of entries) {
    const path = folder === "" ? entry.name : `${folder}/${entry.name}`;
    if (isIgnored(entry.isDirectory() ? `${path}/` : path)) continue;
    if (entry.isDirectory()) yield* filesBelow(root, path, isIgnored);
    else if (entry.isFile()) yield path;
  }
}

/** What {@link buildCommand} builds. */
export interface BuildRequest {
  /** Folder with a Dockerfile, relative to the project. */
  readonly context: string;
  /** Reference the image gets. */
  readonly reference: string;
  /** Stage to stop at. @default the last */
  readonly target?: string;
  /** Labels of the image. @default none */
  readonly labels?: Readonly<Record<string, string>>;
}

/** Files in which systems keep the certificate authorities they trust, the caller's own first. */
const CA_BUNDLES = [
  '"${SSL_CERT_FILE:-}"',
  "/etc/ssl/certs/ca-certificates.crt",
  "/etc/pki/tls/certs/ca-bundle.crt",
  "/etc/ssl/cert.pem",
];

/**
 * Shell command that builds an image unless its reference exists already. The host's certificate
 * authorities are lent to the build as a secret, for networks that inspect TLS; they do not
 * become part of the image. Wants `DOCKER_BUILDKIT=1` with Docker clients older than 23.
 */
export function buildCommand(request: BuildRequest): string {
  const build = [
    "docker build --progress plain",
    "${ca:+--secret id=ca,src=$ca}",
    `--tag ${quote(request.reference)}`,
    ...(request.target === undefined ? [] : [`--target ${quote(request.target)}`]),
    ...Object.entries(request.labels ?? {}).map(
      ([key, value]) => `--label ${quote(`${key}=${value}`)}`,
    ),
    quote(request.context),
  ].join(" ");
  return [
    `docker image inspect ${quote(request.reference)} >/dev/null 2>&1 && exit 0`,
    "ca=",
    `for file in ${CA_BUNDLES.join(" ")}; do [ -f "$file" ] && ca=$file && break; done`,
    build,
  ].join("\n");
}

/**
 * Shell command that pulls an image unless it is there, by the Docker client: it knows the logins that
 * `docker login` has kept.
 */
export function pullCommand(reference: string): string {
  const name = quote(reference);
  return `docker image inspect ${name} >/dev/null 2>&1 || docker pull --quiet ${name}`;
}
