import { buildDrillRelease, type Fault } from "../cli/drill/releases";
import { runProgram, type Sandbox } from "./sandbox";

/** Releases that a test builds for its sandbox, under tags that nothing else has. */
export class FaultyReleases {
  private readonly tags: string[] = [];

  constructor(private readonly sandbox: Sandbox) {}

  /** Tag of a release, built or not. */
  tagOf(name: string): string {
    return `${name}-${this.sandbox.stack}`;
  }

  /** Builds a release, and returns its tag. */
  async build(name: string, fault: Fault): Promise<string> {
    const tag = this.tagOf(name);
    await buildDrillRelease({ root: this.sandbox.root, tag, fault });
    this.tags.push(tag);
    return tag;
  }

  /** Removes the images that were built. */
  async remove(): Promise<void> {
    for (const tag of this.tags) await runProgram("docker", ["image", "rm", `mlops-app:${tag}`]);
  }
}
