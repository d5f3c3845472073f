import type { Command } from "commander";
import type { Context } from "../context";
import { envCommand } from "./env";
import { previewCommand } from "./preview";
import { refreshCommand } from "./refresh";
import { upCommand } from "./up";

/** Every command, in the order in which the help lists them. */
export const commands: readonly ((context: Context) => Command)[] = [
  upCommand,
  previewCommand,
  refreshCommand,
  envCommand,
];
