import assert from "node:assert/strict";
import { readConfig, type Config } from "../../config";
import { stackSource } from "../../config/project";
import { Platform } from "../platform";
import { record, type Recorded } from "./record";

/** Every resource of one stack, by type and name. */
export class RecordedStack {
  constructor(
    readonly prefix: string,
    readonly all: readonly Recorded[],
  ) {}

  /** All resources of a type, such as `docker:index/container:Container`. */
  ofType(type: string): Recorded[] {
    return this.all.filter((resource) => resource.type === type);
  }

  /** The one resource of a type with a name, given without the stack's prefix. */
  find(type: string, name: string): Recorded {
    const found = this.all.filter(
      (resource) => resource.type === type && resource.name === `${this.prefix}-${name}`,
    );
    assert.equal(found.length, 1, `${type} ${this.prefix}-${name}: ${found.length} of them`);
    return found[0] as Recorded;
  }

  container(name: string): Recorded {
    return this.find("docker:index/container:Container", name);
  }

  command(name: string): Recorded {
    return this.find("command:local:Command", name);
  }

  volume(name: string): Recorded {
    return this.find("docker:index/volume:Volume", name);
  }
}

/** The configuration of a committed stack, with values and environment on top. */
export function stackConfig(
  stack: string,
  values: Readonly<Record<string, string>> = {},
  environment: Readonly<Record<string, string>> = { TAG: "v1.0.0" },
): Config {
  const source = stackSource(process.cwd(), stack, environment);
  return readConfig({ ...source, values: { ...source.values, ...values } });
}

/** Builds a whole stack against the mocks. */
export async function recordStack(config: Config): Promise<RecordedStack> {
  const prefix = `mlops-${config.stack}`;
  const all = await record(() => new Platform(prefix, { config }), config.stack);
  return new RecordedStack(prefix, all);
}

/**
 * The files that a command of a `FilesVolume` writes, decoded from its script.
 *
 * @returns content by file name.
 */
export function writtenFiles(command: Recorded): Record<string, string> {
  const script = String(command.inputs.stdin);
  const files: Record<string, string> = {};
  for (const match of script.matchAll(/base64 -d > \.(\S+)\.new <<'END'\n([\s\S]*?)END\n/g))
    files[match[1] ?? ""] = Buffer.from(match[2] ?? "", "base64").toString("utf8");
  return files;
}
