import { createHash } from "node:crypto";
import { join } from "node:path";
import { buildCommand, contextHash } from "../../components/image-build";
import { runProgram } from "../exec";

/** What can be wrong with a release that is built for a drill; see `overlay/faults.py` there. */
export type Fault =
  | "none"
  | "unhealthy"
  | "crash-loop"
  | "slow-load"
  | "wrong-version"
  | "wrong-answer"
  | "outliers"
  | "failed-migration";

/** What {@link buildDrillRelease} builds. */
export interface DrillRelease {
  /** Folder of the project. */
  readonly root: string;
  /** Tag of the release; the image becomes `mlops-app:<tag>`, or `<registry>/mlops-app:<tag>`. */
  readonly tag: string;
  /** @default "none": a release that works, and differs from all others by its ID */
  readonly fault?: Fault;
  /** @default none */
  readonly registry?: string;
  /** Added to the caller's environment, such as where the docker client is. @default none */
  readonly env?: Readonly<Record<string, string>>;
}

/** Folder of the Dockerfile and the overlay that makes the fault. */
const FOLDER = join("test", "releases");
const SOURCE_FOLDER = "app";
const OCI_LABEL = "org.opencontainers.image";

/**
 * Builds a release of its own tag on top of the app as it is now, which is built first where it is
 * not there yet. Labelled like the releases of `./mlops build`. All have a route
 * `GET /drill/slow?seconds=5` that answers after so long, which the shipped app has not.
 *
 * @returns the image's reference.
 * @throws what `isProgramFailure` knows, when a build fails.
 */
export async function buildDrillRelease(release: DrillRelease): Promise<string> {
  const { root, tag, fault = "none", registry = "", env = {} } = release;
  const reference = `${registry === "" ? "" : `${registry}/`}mlops-app:${tag}`;
  const options = { cwd: root, env: { DOCKER_BUILDKIT: "1", ...env } };
  const source = contextHash(join(root, SOURCE_FOLDER));
  const base = `mlops-app:${source}`;
  await runProgram(
    "sh",
    ["-c", buildCommand({ context: SOURCE_FOLDER, reference: base })],
    options,
  );
  const overlay = contextHash(join(root, FOLDER));
  const labels = {
    [`${OCI_LABEL}.version`]: tag,
    [`${OCI_LABEL}.created`]: new Date().toISOString(),
    "mlops.content": createHash("sha256")
      .update([source, overlay, fault].join())
      .digest("hex")
      .slice(0, 12),
  };
  await runProgram(
    "docker",
    [
      "build",
      ...["--build-arg", `BASE=${base}`, "--build-arg", `FAULT=${fault}`],
      ...Object.entries(labels).flatMap(([key, value]) => ["--label", `${key}=${value}`]),
      ...["--tag", reference, FOLDER],
    ],
    options,
  );
  return reference;
}
