import { readFile } from "node:fs/promises";
import { join } from "node:path";
import type { Stack } from "@pulumi/pulumi/automation/index.js";
import type { Manifest, Reason } from "../../backup/manifest";
import type { Context } from "../context";
import type { Tools } from "../setup";
import { runStep } from "../step";
import { execAgent } from "./agent";

/**
 * Makes a set of everything that a stack keeps, while it serves.
 *
 * @param retry command that does it again.
 * @throws CommandError when there is no good set at its end; earlier ones are as they were.
 */
export async function makeBackup(
  context: Context,
  tools: Tools,
  stack: Pick<Stack, "name" | "exportStack">,
  reason: Reason,
  retry: string,
): Promise<Manifest> {
  const { name } = stack;
  const title = reason === "safety" ? `Backing up ${name} as it is` : `Backing up ${name}`;
  return runStep(context, { name: "backup", title, retry }, async (step) => {
    step.say("exporting the state");
    const input = JSON.stringify({
      state: await stack.exportStack(),
      config: await readFile(join(context.root, `Pulumi.${name}.yaml`), "utf8"),
    });
    const request = { stack: name, args: ["backup", "--reason", reason, "--stdin"], input };
    const { manifest } = (await execAgent(tools, request, step)) as { readonly manifest: Manifest };
    return manifest;
  });
}
