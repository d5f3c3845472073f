import type { Command } from "commander";
import type { Context } from "../context";
import { backupCommand } from "./backup";
import { backupsCommand } from "./backups";
import { benchCommand } from "./bench";
import { buildImageCommand } from "./build";
import { deployCommand } from "./deploy";
import { downCommand } from "./down";
import { drillCommand } from "./drill";
import { envCommand } from "./env";
import { logsCommand } from "./logs";
import { modelCommand } from "./model";
import { predictCommand } from "./predict";
import { previewCommand } from "./preview";
import { promoteCommand } from "./promote";
import { pruneCommand } from "./prune";
import { refreshCommand } from "./refresh";
import { releaseCommand } from "./release";
import { releasesCommand } from "./releases";
import { restoreCommand } from "./restore";
import { rollbackCommand } from "./rollback";
import { rotateCommand } from "./rotate";
import { statusCommand } from "./status";
import { testCommand } from "./test";
import { trainCommand } from "./train";
import { upCommand } from "./up";

/** Every command, in the order in which the help lists them. */
export const commands: readonly ((context: Context) => Command)[] = [
  upCommand,
  previewCommand,
  refreshCommand,
  statusCommand,
  logsCommand,
  trainCommand,
  modelCommand,
  predictCommand,
  buildImageCommand,
  deployCommand,
  rollbackCommand,
  promoteCommand,
  releasesCommand,
  pruneCommand,
  backupCommand,
  backupsCommand,
  restoreCommand,
  rotateCommand,
  downCommand,
  envCommand,
  testCommand,
  benchCommand,
  drillCommand,
];

/** Commands that the deployment itself runs, and the help leaves out. */
export const internalCommands: readonly ((context: Context) => Command)[] = [releaseCommand];
