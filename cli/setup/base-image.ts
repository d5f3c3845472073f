import { mkdtemp, readFile, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import type Docker from "dockerode";
import type { Context } from "../context";
import { withLock } from "../lock";
import type { Step } from "../step";
import { aptInstall } from "./apt";
import { becomeRoot } from "./privilege";
import { runSetUpStep } from "./durations";
import { findPrograms, searchPath } from "./programs";
import { runProgram } from "../exec";

const SUITE = "trixie";
/** What every Dockerfile of the project starts from. */
export const BASE_IMAGE = `debian:${SUITE}-slim`;

/** A registry that answers names the layers at once; one that cannot be reached may never answer. */
const FIRST_ANSWER_TIMEOUT_MS = 20_000;
const IDLE_TIMEOUT_MS = 60_000;

/** Folders whose content the official slim image leaves out. */
const LEFT_OUT = ["man", "info", "locale"].map((name) => `usr/share/${name}`);

/** Keeps them out, with all documentation but licences, of what Dockerfiles install later. */
const DPKG_RULES = [
  ...LEFT_OUT.map((folder) => `path-exclude /${folder}/*`),
  "path-exclude /usr/share/doc/*",
  "path-include /usr/share/doc/*/copyright",
  "",
].join("\n");

/**
 * Makes sure of the base image: one on this host is used as it is; else it is pulled where a
 * registry answers; else it is made from Debian's packages, under the same name.
 */
export async function ensureBaseImage(
  context: Context,
  docker: Docker,
  toolEnv: Readonly<Record<string, string>>,
  retry: string,
): Promise<void> {
  if (await hasImage(docker)) return;
  await withLock(context, "base-image", async () => {
    if (await hasImage(docker)) return;
    await runSetUpStep(
      context,
      { name: "base-image", title: `Getting the base image ${BASE_IMAGE}`, retry },
      async (step) => {
        const refusal = await pullFailure(docker, step);
        if (refusal === undefined) return;
        step.say(`No registry gave it (${refusal}); making it from Debian's packages`);
        await bootstrap(context, step, toolEnv);
      },
    );
  });
}

async function hasImage(docker: Docker): Promise<boolean> {
  const images = await docker.listImages({ filters: { reference: [BASE_IMAGE] } });
  return images.length > 0;
}

/** Pulls the image. Returns why not, or undefined when it was pulled. */
async function pullFailure(docker: Docker, step: Step): Promise<string | undefined> {
  const abort = new AbortController();
  const giveUp = (): void => {
    abort.abort(new Error("no answer"));
  };
  let timer = setTimeout(giveUp, FIRST_ANSWER_TIMEOUT_MS);
  try {
    const stream = await docker.pull(BASE_IMAGE, { abortSignal: abort.signal });
    await new Promise<void>((resolve, reject) => {
      docker.modem.followProgress(
        stream,
        (error) => {
          if (error === null) resolve();
          else reject(error);
        },
        (event: { status?: string; id?: string; progress?: string }) => {
          clearTimeout(timer);
          timer = setTimeout(giveUp, IDLE_TIMEOUT_MS);
          step.say([event.id, event.status, event.progress].filter(Boolean).join(" "));
        },
      );
    });
    return undefined;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  } finally {
    clearTimeout(timer);
  }
}

/** Makes the image by debootstrap. The tag appears with the import, or not at all. */
async function bootstrap(
  context: Context,
  step: Step,
  toolEnv: Readonly<Record<string, string>>,
): Promise<void> {
  if ((await findPrograms("debootstrap", searchPath(context.env))).length === 0)
    await aptInstall(step, ["debootstrap"]);
  const root = await becomeRoot("Making the base image", "debootstrap");
  const asRoot = (program: string, ...args: string[]): Promise<void> =>
    step.run(...root.line(program, ...args), { env: toolEnv });
  const folder = await mkdtemp(join(tmpdir(), "mlops-base-image-"));
  const tree = join(folder, "root");
  try {
    // debootstrap is in /usr/sbin, which the PATH of an ordinary user leaves out.
    const path = `PATH=${searchPath(context.env).join(":")}`;
    await asRoot("env", path, "debootstrap", "--variant=minbase", SUITE, tree);
    const install = async (content: string, target: string): Promise<void> => {
      const file = join(folder, basename(target));
      await writeFile(file, content);
      await asRoot("install", "-m", "0644", file, join(tree, target));
    };
    const mirror = await readFile(join(tree, "etc/apt/sources.list"), "utf8");
    await install(withUpdates(mirror), "etc/apt/sources.list");
    await install(DPKG_RULES, "etc/dpkg/dpkg.cfg.d/slim");
    const docs = join(tree, "usr/share/doc");
    await asRoot("find", docs, "-type", "f", "!", "-name", "copyright", "-delete");
    const left = [
      ...LEFT_OUT.map((path) => `${path}/*`),
      "var/lib/apt/lists/*",
      "var/cache/apt/archives/*.deb",
    ];
    const excluded = left.map((pattern) => `--exclude=./${pattern}`);
    const archive = join(folder, "root.tar");
    await asRoot("tar", "-c", "--numeric-owner", "-f", archive, "-C", tree, ...excluded, ".");
    const change = ["--change", 'CMD ["bash"]'];
    await step.run("docker", ["import", ...change, archive, BASE_IMAGE], { env: toolEnv });
  } finally {
    await runProgram(...root.line("rm", "-rf", "--one-file-system", folder));
  }
}

/**
 * debootstrap writes the release's own archive only. Fixes are in two more, on the same mirror by
 * Debian's convention.
 */
function withUpdates(sources: string): string {
  const line = /^deb (\S+?)\/?\s+\S+\s+(.+)$/m.exec(sources);
  const [, mirror, components] = line ?? [];
  if (mirror === undefined || components === undefined) return sources;
  return [
    `deb ${mirror} ${SUITE} ${components}`,
    `deb ${mirror} ${SUITE}-updates ${components}`,
    `deb ${mirror}-security ${SUITE}-security ${components}`,
    "",
  ].join("\n");
}
