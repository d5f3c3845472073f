import * as pulumi from "@pulumi/pulumi";
import { Platform } from "./components/platform";
import { readConfig } from "./config";
import { readEnvironment } from "./config/environment";

const stack = pulumi.getStack();
const config = readConfig({
  stack,
  values: pulumi.runtime.allConfig(),
  environment: readEnvironment(".env", process.env),
});
const platform = new Platform(`${pulumi.getProject()}-${stack}`, { config });

export const url = platform.url;
export const mlflowUrl = platform.mlflowUrl;
export const version = platform.version;
export const backup = config.backup;
