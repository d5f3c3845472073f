import { Command } from "commander";
import { rowsOf, type Manifest } from "../../backup/manifest";
import { bytesOf } from "../../backup/metrics";
import { listSets, type ListedSets } from "../backup/list";
import { execInContainer } from "../container-exec";
import type { Context } from "../context";
import { CommandError, NotDeployedError } from "../errors";
import { formatBytes, formatDuration } from "../format";
import { serviceContainers } from "../services";
import { setUp, type Tools } from "../setup";
import { runStep } from "../step";
import { renderTable } from "../table";
import type { Terminal } from "../terminal";
import { examples, jsonOption, stackOption } from "./options";

interface BackupsOptions {
  readonly stack: string;
  readonly key?: true;
  readonly json?: true;
}

/** `./mlops backups`: the sets of a stack. */
export function backupsCommand(context: Context): Command {
  return new Command("backups")
    .description("List the sets of backups: age, size, whether they were read back and are good.")
    .addOption(stackOption())
    .option("--key", "print the key that opens them instead; keep it where the backups are not")
    .addOption(jsonOption())
    .addHelpText("after", examples("./mlops backups --stack prod", "./mlops backups --key"))
    .action((options: BackupsOptions) => backups(context, options));
}

async function backups(context: Context, options: BackupsOptions): Promise<void> {
  const { terminal } = context;
  const { stack: name } = options;
  const retry = `./mlops backups --stack ${name}`;
  const tools = await setUp(context, { retry, images: false });
  if (options.key === true) {
    terminal.print(await readKey(tools, name));
    return;
  }
  const listed = await runStep(
    context,
    { name: "backups", title: `Looking for backups of ${name}`, retry },
    (step) => listSets(tools, name, step),
  );
  if (options.json === true) terminal.printJson({ stack: name, ...listed });
  else print(terminal, name, listed);
}

function print(terminal: Terminal, stack: string, listed: ListedSets): void {
  const { sets, broken, latest, nextBackup, lastBackup } = listed;
  if (sets.length === 0) terminal.note("There is none yet. Make one with: ./mlops backup");
  else
    terminal.print(
      renderTable(
        ["SET", "AGE", "SIZE", "ROWS", "MODELS", "RELEASE", "STATE"].map((title) =>
          terminal.style("bold", title),
        ),
        sets.toReversed().map((set) => row(terminal, set, set.set === latest)),
      ),
    );
  for (const { set, reason } of broken) terminal.note(`The set ${set} is broken: ${reason}.`);
  if (lastBackup?.succeeded === false)
    terminal.note(
      `The last backup failed at ${lastBackup.finishedAt}: ${lastBackup.problem ?? ""}`,
    );
  terminal.note(
    nextBackup === null ? "None is scheduled (backupSchedule)." : `Next: ${nextBackup}`,
  );
  terminal.note(describeDrills(listed));
  for (const id of listed.kept)
    terminal.note(
      `The volumes keep what the restore ${id} took the place of. To delete it: ./mlops restore --forget ${id} --stack ${stack}`,
    );
}

/** Whether what is listed can be restored, as far as that was tried. */
function describeDrills({ lastDrill, nextDrill }: ListedSets): string {
  const next =
    nextDrill === null ? "None is scheduled (backupDrillSchedule)." : `Next drill: ${nextDrill}`;
  if (lastDrill === null) return `No set was restored in a drill yet. ${next}`;
  const { succeeded, finishedAt, seconds, problem } = lastDrill;
  return succeeded
    ? `The last drill restored and proved a set in ${formatDuration(seconds)}, at ${finishedAt}. ${next}`
    : `The last drill failed at ${finishedAt}: ${problem ?? ""} ${next}`;
}

function row(terminal: Terminal, manifest: Manifest, isLatest: boolean): string[] {
  const { set, finishedAt, postgres, models, version, complete, verified } = manifest;
  const isGood = complete && verified;
  const state = isGood
    ? isLatest
      ? "verified, latest"
      : "verified"
    : verified
      ? "incomplete"
      : "bad";
  return [
    set,
    formatDuration((Date.now() - Date.parse(finishedAt)) / 1000),
    formatBytes(bytesOf(manifest)),
    String(rowsOf(postgres?.databases ?? {})),
    String(models.length),
    version,
    terminal.style(isGood ? "green" : "red", state),
  ];
}

/** The key, from where the backups' own tools read it. */
async function readKey({ docker }: Pick<Tools, "docker">, stack: string): Promise<string> {
  const [container] = await serviceContainers(docker, stack, "backup");
  if (container === undefined) throw new NotDeployedError(stack);
  const { exitCode, stdout, stderr } = await execInContainer(docker, container.Id, [
    "cat",
    "/run/backup/backup_key",
  ]);
  if (exitCode === 0) return stdout.trim();
  throw new CommandError(
    `The key of stack "${stack}" cannot be read: ${stderr.trim()}`,
    `Look at the service: ./mlops logs backup --stack ${stack}`,
  );
}
