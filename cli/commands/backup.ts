import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { Command } from "commander";
import type { Manifest } from "../../backup/manifest";
import { bytesOf } from "../../backup/metrics";
import { execAgent } from "../backup/agent";
import type { Context } from "../context";
import { formatBytes, formatDuration } from "../format";
import { setUp } from "../setup";
import { openStack } from "../stack";
import { runStep } from "../step";
import { examples, jsonOption, stackOption } from "./options";

interface BackupOptions {
  readonly stack: string;
  readonly json?: true;
}

/** `./mlops backup`: a set of everything that the stack keeps. */
export function backupCommand(context: Context): Command {
  return new Command("backup")
    .description(
      "Make a set of backups while the stack serves: databases, artifacts, the app's data, Redis, " +
        "state and configuration. Everything is read back before the set counts as good.",
    )
    .addOption(stackOption())
    .addOption(jsonOption())
    .addHelpText("after", examples("./mlops backup --stack prod"))
    .action((options: BackupOptions) => backup(context, options));
}

async function backup(context: Context, { stack: name, json }: BackupOptions): Promise<void> {
  const { terminal } = context;
  const retry = `./mlops backup --stack ${name}`;
  const tools = await setUp(context, { retry, images: false });
  const stack = await openStack(context, tools, name, false);
  const { manifest } = await runStep(
    context,
    { name: "backup", title: `Backing up ${name}`, retry },
    async (step) => {
      step.say("exporting the state");
      const input = JSON.stringify({
        state: await stack.exportStack(),
        config: await readFile(join(context.root, `Pulumi.${name}.yaml`), "utf8"),
      });
      const request = { stack: name, args: ["backup", "--stdin"], input };
      return (await execAgent(tools, request, step)) as { readonly manifest: Manifest };
    },
  );
  if (json === true) {
    terminal.printJson({ stack: name, manifest });
    return;
  }
  const seconds = (Date.parse(manifest.finishedAt) - Date.parse(manifest.startedAt)) / 1000;
  const rows = Object.values(manifest.postgres?.databases ?? {})
    .flatMap((database) => Object.values(database.rows))
    .reduce((total, count) => total + count, 0);
  terminal.print(
    `Set ${manifest.set}: ${rows} rows, ${manifest.models.length} model versions, ${formatBytes(bytesOf(manifest))}, read back and good, in ${formatDuration(seconds)}.`,
  );
}
