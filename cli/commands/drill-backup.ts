import { Command } from "commander";
import { MEASUREMENTS } from "../bench/document";
import type { Context } from "../context";
import { drillBackups } from "../drill/backup";
import { backupFindings } from "../drill/backup-results";
import { reportDrill, runDrill } from "../drill/run";
import { examples, jsonOption, parseCount } from "./options";

interface BackupOptions {
  readonly rounds: number;
  readonly rate: number;
  readonly replicas: number;
  readonly write?: true;
  readonly json?: true;
}

/** `./mlops drill backup`: what backups cost those who use the stack meanwhile. */
export function drillBackupCommand(context: Context): Command {
  return new Command("backup")
    .description(
      "Make backups in turn with doing nothing while requests keep coming, compare how they are " +
        "answered, and count what is lost: nothing may be. Makes a stack for it and removes it at " +
        "the end.",
    )
    .option("--rounds <number>", "backups, each beside about as long without one", parseCount, 9)
    .option("--rate <number>", "requests a second", parseCount, 50)
    .option("--replicas <number>", "containers of the app", parseCount, 1)
    .option("--write", `put the results into ${MEASUREMENTS}`)
    .addOption(jsonOption())
    .addHelpText("after", examples("./mlops drill backup --rounds 5 --rate 100"))
    .action((options: BackupOptions) => drillBackup(context, options));
}

async function drillBackup(context: Context, options: BackupOptions): Promise<void> {
  const { rounds, rate, replicas, write, json } = options;
  const request = { retry: "./mlops drill backup", replicas };
  const measured = await runDrill(context, request, ({ stack, signal, inStep }) =>
    inStep("backup", "Backing up under load", async (step) =>
      backupFindings(await drillBackups(stack, { rounds, rate, signal }, step)),
    ),
  );
  await reportDrill(context, measured, {
    json: json === true,
    ...(write === true ? { section: "backups" } : {}),
    command: `./mlops drill backup --rounds ${rounds} --rate ${rate} --replicas ${replicas} --write`,
  });
}
