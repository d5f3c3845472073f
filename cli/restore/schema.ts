import type { RestoreResult } from "../../backup/restore/restore";
import { releaseReference } from "../../components/release-image";
import { CommandError } from "../errors";
import { HARDENED } from "../hardening";
import { runOneOff } from "../one-off";
import { serviceContainers } from "../services";
import type { Step } from "../step";
import type { ReadyStack } from "./ready";

/** What the app's `schema` answers. */
interface KnownSchema {
  readonly version: string;
  /** Newest first. */
  readonly revisions: readonly string[];
}

/**
 * Looks whether the release that is to serve knows the schema of what was restored. An older schema
 * it migrates when it comes up.
 *
 * @throws CommandError where the database is of a newer release.
 */
export async function requireKnownSchema(
  ready: ReadyStack,
  { set, version, databases }: RestoreResult,
  step: Step,
): Promise<void> {
  const revision = databases["mlops"]?.revision ?? undefined;
  const image = await appImage(ready);
  // What runs from app/ itself is built by the deployment; its own migration looks then.
  if (revision === undefined || image === undefined) return;
  step.say("asking the release for the schemas that it knows");
  const known = await askSchema(ready, image, step);
  if (known.revisions.includes(revision)) return;
  const { stack } = ready.config;
  throw new CommandError(
    `The database of the set ${set} has the schema ${revision}, which the release ${known.version} of stack "${stack}" does not know: its newest is ${known.revisions[0] ?? "none"}. What is live was not touched.`,
    `Restore it with the release that made it: TAG=${version} ./mlops restore ${set} --stack ${stack} --replace`,
  );
}

/** The image that will serve: the TAG's, else what serves now. */
async function appImage({ tools, config }: ReadyStack): Promise<string | undefined> {
  const { tag, registry } = config.release;
  if (tag !== "") return releaseReference(registry, tag);
  const containers = await serviceContainers(tools.docker, config.stack).catch(() => []);
  return containers.find(({ Labels }) => Labels["mlops.service"] === "app")?.ImageID;
}

async function askSchema(
  { tools, config, retry }: ReadyStack,
  image: string,
  step: Step,
): Promise<KnownSchema> {
  const container = await tools.docker.createContainer({
    Image: image,
    Cmd: ["schema"],
    Labels: { "mlops.stack": config.stack, "mlops.service": "app", "mlops.task": "schema" },
    Healthcheck: { Test: ["NONE"] },
    HostConfig: {
      ...HARDENED,
      AutoRemove: true,
      NetworkMode: "none",
      Tmpfs: { "/tmp": "rw,nosuid,nodev,size=64m,mode=1777" },
    },
  });
  const request = { noun: "question for the schema", retry };
  const { exitCode, result, problem } = await runOneOff(tools.docker, container, request, step);
  if (exitCode === 0 && result !== undefined) return result as KnownSchema;
  throw new CommandError(
    `The release does not say which schemas it knows: ${problem ?? `exit code ${exitCode}`}. What is live was not touched.`,
    `Restore with a release that does: TAG=… ${retry}`,
  );
}
