import * as pulumi from "@pulumi/pulumi";
import { Platform } from "./components/platform";
import { readConfig, type Config } from "./config";
import { readEnvironment } from "./config/environment";

const stack = pulumi.getStack();
const config = configuration();
const platform = new Platform(`${pulumi.getProject()}-${stack}`, { config });

export const url = platform.url;
export const mlflowUrl = platform.mlflowUrl;
export const version = platform.version;
export const releases = platform.releases;
export const backupSchedule = config.backup.schedule;

function configuration(): Config {
  try {
    return readConfig({
      stack,
      values: pulumi.runtime.allConfig(),
      environment: readEnvironment(".env", process.env),
    });
  } catch (error) {
    // Pulumi prints the message of this kind alone, without the program's own stack trace.
    throw new pulumi.RunError(error instanceof Error ? error.message : String(error));
  }
}
