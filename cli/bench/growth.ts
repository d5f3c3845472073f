import { mkdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { stringify } from "yaml";
import type { Context } from "../context";
import type { Tools } from "../setup";
import { BASE_IMAGE } from "../setup/base-image";
import type { Step } from "../step";
import type { Contender } from "./measure";
import { runProgram } from "../exec";

/** Numbers of services that are compared. */
const SIZES = [1, 6, 30] as const;

/** The stacks of `bench/`, whose services only sleep: how Pulumi's time grows with their number. */
export class GrowthStacks {
  private readonly folder: string;
  private readonly env: Readonly<Record<string, string>>;
  private readonly pulumi: string;

  constructor(
    private readonly context: Context,
    private readonly tools: Tools,
  ) {
    this.folder = join(context.stateDir, "bench");
    this.pulumi = tools.pulumi.program;
    this.env = {
      ...tools.env,
      PULUMI_BACKEND_URL: `file://${join(this.folder, "state")}`,
      PULUMI_LANGUAGE_NODEJS_RUN_PATH: join(context.root, "bench", "run.cjs"),
    };
  }

  /** Deploys a stack of every size. */
  async deploy(step: Step): Promise<void> {
    await mkdir(join(this.folder, "state"), { recursive: true });
    for (const size of SIZES) {
      const config = { "mlops-bench:services": String(size), "mlops-bench:image": BASE_IMAGE };
      await writeFile(this.configFile(size), stringify({ config }));
      const stack = ["--stack", stackName(size)];
      const options = { cwd: join(this.context.root, "bench"), env: this.env };
      step.say(`a stack of ${size} services`);
      await step.run(this.pulumi, ["stack", "select", "--create", ...stack], options);
      await step.run(this.pulumi, ["up", "--yes", "--skip-preview", ...this.line(size)], options);
    }
  }

  /** A preview of every size, in which nothing changes. */
  previews(): Contender[] {
    return SIZES.map((size) => ({
      name: `pulumi preview, ${size} ${size === 1 ? "service" : "services"}`,
      command: this.pulumi,
      args: ["preview", "--expect-no-changes", ...this.line(size)],
      cwd: join(this.context.root, "bench"),
      env: this.env,
    }));
  }

  /** Removes all of it, volumes included: there is nothing in them. */
  async remove(): Promise<void> {
    for (const size of SIZES) {
      await runProgram(this.pulumi, ["destroy", "--yes", "--skip-preview", ...this.line(size)], {
        cwd: join(this.context.root, "bench"),
        env: { ...this.context.env, ...this.env },
      });
      const { Volumes } = await this.tools.docker.listVolumes({
        filters: { label: [`mlops.stack=mlops-bench-${stackName(size)}`] },
      });
      for (const volume of Volumes) await this.tools.docker.getVolume(volume.Name).remove();
    }
    await rm(this.folder, { recursive: true });
  }

  private line(size: number): string[] {
    const config = ["--config-file", this.configFile(size)];
    return ["--stack", stackName(size), "--non-interactive", ...config];
  }

  private configFile(size: number): string {
    return join(this.folder, `Pulumi.${stackName(size)}.yaml`);
  }
}

const stackName = (size: number): string => `of-${size}`;
