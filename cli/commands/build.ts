import { join } from "node:path";
import { Command } from "commander";
import type { ImageInspectInfo } from "dockerode";
import { buildCommand, CONTENT_LABEL, contextHash } from "../../components/image-build";
import { releaseReference } from "../../components/release-image";
import type { Context } from "../context";
import { CommandError } from "../errors";
import { inspectImage } from "../images";
import { publish, takeFromRegistry } from "../release/push";
import { setUp, type Tools } from "../setup";
import { loadConfig } from "../stack-config";
import { runStep } from "../step";
import { examples, jsonOption, stackOption } from "./options";
import { runProgram } from "../exec";

interface BuildOptions {
  readonly stack: string;
  readonly push: boolean;
  readonly json?: true;
}

const SOURCE_FOLDER = "app";
/** Start of the labels that the OCI image specification names. */
const OCI_LABEL = "org.opencontainers.image";

/** `./mlops build`: a release's image. */
export function buildImageCommand(context: Context): Command {
  return new Command("build")
    .description(
      "Build the application image of a release from app/, under a tag that stays its own, and " +
        "push it where a registry is set (REGISTRY, or the key registry).",
    )
    .argument("<tag>", "tag of the release, such as v1.0.0")
    .addOption(stackOption())
    .option("--no-push", "do not ask or change the registry, even where one is set")
    .addOption(jsonOption())
    .addHelpText(
      "after",
      examples("./mlops build v1.0.0", "REGISTRY=registry.example.com/team ./mlops build v1.0.0"),
    )
    .action((tag: string, options: BuildOptions) => build(context, tag, options));
}

async function build(context: Context, tag: string, options: BuildOptions): Promise<void> {
  if (tag === "latest")
    throw new CommandError(
      '"latest" is not a release: what it means changes, so nothing could go back to it.',
      "Name a version, such as: ./mlops build v1.0.0",
    );
  const named: Context = { ...context, env: { ...context.env, TAG: tag } };
  const { release } = loadConfig(named, options.stack);
  const reference = releaseReference(release.registry, tag);
  const retry = `./mlops build ${tag}`;
  const tools = await setUp(context, { retry, images: true });
  const push = release.registry !== "" && options.push;
  const source = await obtain(context, tools, { reference, tag, push, retry });
  const published = push ? await publish(context, tools, reference, retry) : undefined;
  const image = await tools.docker.getImage(reference).inspect();
  if (options.json)
    context.terminal.printJson({
      reference,
      id: image.Id,
      content: image.Config.Labels[CONTENT_LABEL],
      source,
      ...published,
    });
  else {
    const { terminal } = context;
    if (source !== "built") terminal.note(`${reference} is ${WHERE[source]}, of the same content.`);
    if (published?.pushed === false)
      terminal.note("The registry has it already; nothing was pushed.");
    terminal.print(`${reference} ${image.Id}`);
    if (published !== undefined) terminal.print(published.digest);
    terminal.note(`Next: ./mlops deploy ${tag} --stack ${options.stack}`);
  }
}

/** Where the image of a release came from. */
type Source = "built" | "host" | "registry";

const WHERE = {
  host: "on this host already",
  registry: "in the registry already, and was pulled",
} as const;

/** What is to be built. */
interface BuildRequest {
  readonly reference: string;
  readonly tag: string;
  /** Whether the registry has a say. */
  readonly push: boolean;
  readonly retry: string;
}

/** Makes sure that this host has the release's image, of exactly what is in `app/`. */
async function obtain(context: Context, tools: Tools, request: BuildRequest): Promise<Source> {
  const { reference, retry } = request;
  const content = contextHash(join(context.root, SOURCE_FOLDER));
  const existing = await inspectImage(tools.docker, reference);
  if (existing !== undefined) {
    refuseOtherContent(reference, existing.Id, existing, content);
    return "host";
  }
  const accept = (image: ImageInspectInfo, pinned: string): void => {
    refuseOtherContent(reference, pinned, image, content);
  };
  if (request.push && (await takeFromRegistry(context, tools, reference, retry, accept)))
    return "registry";
  const step = { name: "build", title: `Building ${reference}`, retry };
  await runStep(context, step, async (step) => {
    const commit = await revision(context);
    const labels = {
      [`${OCI_LABEL}.version`]: request.tag,
      ...(commit === undefined ? {} : { [`${OCI_LABEL}.revision`]: commit }),
      [`${OCI_LABEL}.created`]: new Date().toISOString(),
      [CONTENT_LABEL]: content,
    };
    const command = buildCommand({ context: SOURCE_FOLDER, reference, labels });
    await step.run("sh", ["-c", command], { env: tools.env });
  });
  // Somebody else may have built under the same tag meanwhile; the first one keeps it.
  const built = await tools.docker.getImage(reference).inspect();
  refuseOtherContent(reference, built.Id, built, content);
  return "built";
}

/**
 * A tag means one content for ever: whoever goes back to it gets what was tested under it.
 *
 * @param digest name of the image that exists.
 */
function refuseOtherContent(
  reference: string,
  digest: string,
  image: ImageInspectInfo,
  content: string,
): void {
  // Null where an image has none, whatever the types say.
  const labels = image.Config.Labels as Readonly<Record<string, string>> | null;
  const other = labels?.[CONTENT_LABEL];
  if (other === content) return;
  const commit = labels?.[`${OCI_LABEL}.revision`] ?? "an unknown commit";
  const created = labels?.[`${OCI_LABEL}.created`] ?? "an unknown time";
  throw new CommandError(
    `${reference} exists with other content than app/ has now: ${digest} has content ${other ?? "not built here"} (from ${commit}, built ${created}), app/ has content ${content}. Nothing was changed.`,
    "A release does not change: choose a new tag.",
  );
}

/** The commit that app/ is at, marked where it has changes that are in no commit, if there is one. */
async function revision({ root }: Context): Promise<string | undefined> {
  const options = { cwd: root, reject: false } as const;
  const head = await runProgram("git", ["rev-parse", "HEAD"], options);
  if (head.failed) return undefined;
  const changes = await runProgram("git", ["status", "--porcelain", "--", SOURCE_FOLDER], options);
  return changes.stdout === "" ? head.stdout : `${head.stdout}-dirty`;
}
