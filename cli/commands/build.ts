import { join } from "node:path";
import { Command } from "commander";
import { buildCommand, contextHash } from "../../components/image-build";
import type { Context } from "../context";
import { CommandError } from "../errors";
import { inspectImage } from "../images";
import { setUp } from "../setup";
import { loadConfig } from "../stack-config";
import { runStep } from "../step";
import { examples, jsonOption, stackOption } from "./options";
import { runProgram } from "../exec";

interface BuildOptions {
  readonly stack: string;
  readonly json?: true;
}

const SOURCE_FOLDER = "app";
/** Hash of what the image was built from; the other labels are those of the OCI image spec. */
const CONTENT_LABEL = "mlops.content";
const OCI_LABEL = "org.opencontainers.image";

/** `./mlops build`: a release's image. */
export function buildImageCommand(context: Context): Command {
  return new Command("build")
    .description(
      "Build the application image of a release from app/, under a tag that stays its own.",
    )
    .argument("<tag>", "tag of the release, such as v1.0.0")
    .addOption(stackOption())
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
  const reference = `${release.registry === "" ? "" : `${release.registry}/`}mlops-app:${tag}`;
  const retry = `./mlops build ${tag}`;
  const tools = await setUp(context, { retry, images: true });
  const content = contextHash(join(context.root, SOURCE_FOLDER));
  const existing = await inspectImage(tools.docker, reference);
  if (existing === undefined)
    await runStep(
      context,
      { name: "build", title: `Building ${reference}`, retry },
      async (step) => {
        const commit = await revision(context);
        const labels = {
          [`${OCI_LABEL}.version`]: tag,
          ...(commit === undefined ? {} : { [`${OCI_LABEL}.revision`]: commit }),
          [`${OCI_LABEL}.created`]: new Date().toISOString(),
          [CONTENT_LABEL]: content,
        };
        const command = buildCommand({ context: SOURCE_FOLDER, reference, labels });
        await step.run("sh", ["-c", command], { env: tools.env });
      },
    );
  else refuseOtherContent(reference, existing.Config.Labels, content);
  const image = await tools.docker.getImage(reference).inspect();
  if (options.json) context.terminal.printJson({ reference, id: image.Id, content });
  else {
    if (existing !== undefined)
      context.terminal.note(`${reference} is there already, of the same content.`);
    context.terminal.print(`${reference} ${image.Id}`);
    context.terminal.note(`Next: TAG=${tag} ./mlops up --stack ${options.stack}`);
  }
}

type Labels = Readonly<Record<string, string>>;

/** A tag means one content for ever: whoever goes back to it gets what was tested under it. */
function refuseOtherContent(reference: string, labels: Labels | undefined, content: string): void {
  const other = labels?.[CONTENT_LABEL];
  if (other === content) return;
  const commit = labels?.[`${OCI_LABEL}.revision`] ?? "an unknown commit";
  const created = labels?.[`${OCI_LABEL}.created`] ?? "an unknown time";
  throw new CommandError(
    `${reference} exists with other content (${other ?? "not built here"}, from ${commit}, built ${created}) than app/ has now (${content}).`,
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
