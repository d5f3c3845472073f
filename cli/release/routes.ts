import type Docker from "dockerode";
import { ROUTE_BUCKETS, UPSTREAM_FOLDER } from "../../components/nginx-config";
import { execInContainer } from "../container-exec";
import { CommandError, NotDeployedError } from "../errors";
import { serviceContainers } from "../services";

/**
 * Where a stack's running nginx sends the requests for the app. Every change is the renaming of a
 * link, so that each request meets either the old or the new, and nothing is reloaded.
 */
export class Routes {
  private constructor(
    private readonly docker: Docker,
    private readonly nginx: string,
  ) {}

  /** @throws NotDeployedError when the stack has no nginx that runs. */
  static async of(docker: Docker, stack: string): Promise<Routes> {
    const [nginx] = await serviceContainers(docker, stack, "nginx");
    if (nginx?.State !== "running") throw new NotDeployedError(stack);
    return new Routes(docker, nginx.Id);
  }

  /** The generation that is live; undefined before the first switch. */
  async live(): Promise<string | undefined> {
    const target = await this.run("readlink live");
    return /^generations\/app-(.+)$/.exec(target.trim())?.[1];
  }

  /** Lets the gate reach a generation that is not live. */
  async admit(generation: string): Promise<void> {
    await this.run(`mkdir -p generations/app-${checked(generation)}`);
  }

  /** Sends a share of the requests to a generation: `percent` of them, 1 to 99. */
  async tryOut(generation: string, percent: number): Promise<void> {
    await this.run(
      [
        relink("canary", `generations/app-${checked(generation)}`),
        "bucket=0",
        `while [ $bucket -lt ${percent} ]; do`,
        relink("routes/$bucket", "../canary"),
        "  bucket=$((bucket + 1))",
        "done",
      ].join("\n"),
    );
  }

  /** Sends every request to a generation; undefined for whatever container of the app there is. */
  async switchTo(generation: string | undefined): Promise<void> {
    const target = generation === undefined ? "app" : `app-${checked(generation)}`;
    await this.run(
      [
        `mkdir -p generations/${target}`,
        relink("live", `generations/${target}`),
        this.endTrial(),
      ].join("\n"),
    );
  }

  /** Sends the share that {@link tryOut} took to the live generation again. */
  async abandonTrial(): Promise<void> {
    await this.run(this.endTrial());
  }

  /** Closes the way to every generation but the live one. */
  async closeOthers(): Promise<void> {
    await this.run(
      [
        relink("canary", "$(readlink live)"),
        "for folder in generations/*; do",
        '  [ "$folder" = "$(readlink live)" ] || rmdir "$folder"',
        "done",
      ].join("\n"),
    );
  }

  private endTrial(): string {
    return [
      "bucket=0",
      `while [ $bucket -lt ${ROUTE_BUCKETS} ]; do`,
      `  if [ "$(readlink routes/$bucket)" != ../live ]; then`,
      relink("routes/$bucket", "../live"),
      "  fi",
      "  bucket=$((bucket + 1))",
      "done",
    ].join("\n");
  }

  private async run(script: string): Promise<string> {
    const { exitCode, stdout, stderr } = await execInContainer(this.docker, this.nginx, [
      ..."sh -euc".split(" "),
      `cd ${UPSTREAM_FOLDER}\n${script}`,
    ]);
    if (exitCode === 0) return stdout;
    throw new CommandError(
      `nginx's routes in ${UPSTREAM_FOLDER} could not be changed: ${stderr.trim()}.`,
      "See what is wrong with ./mlops logs nginx, then deploy again.",
    );
  }
}

/** Replaces a link whole: a rename is atomic, `ln -f` is not. */
const relink = (link: string, target: string): string =>
  `ln -sfn "${target}" ${link}.new && mv -fT ${link}.new ${link}`;

/** It becomes part of a shell script. */
function checked(generation: string): string {
  if (!/^[0-9a-f]{8}$/.test(generation))
    throw new RangeError(`"${generation}" is not the name of a generation`);
  return generation;
}
