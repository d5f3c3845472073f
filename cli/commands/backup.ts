import { Command } from "commander";
import { rowsOf } from "../../backup/manifest";
import { bytesOf } from "../../backup/metrics";
import { makeBackup } from "../backup/make";
import type { Context } from "../context";
import { formatBytes, formatDuration } from "../format";
import { setUp } from "../setup";
import { openStack } from "../stack";
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
  const manifest = await makeBackup(context, tools, stack, "manual", retry);
  if (json === true) {
    terminal.printJson({ stack: name, manifest });
    return;
  }
  const seconds = (Date.parse(manifest.finishedAt) - Date.parse(manifest.startedAt)) / 1000;
  terminal.print(
    `Set ${manifest.set}: ${rowsOf(manifest.postgres?.databases ?? {})} rows, ${manifest.models.length} model versions, ${formatBytes(bytesOf(manifest))}, read back and good, in ${formatDuration(seconds)}.`,
  );
}
