import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";

/** Path and content of every file below a folder but the passphrase; compressed ones unpacked. */
export function filesBelow(folder: string): [string, string][] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name !== "passphrase")
    .map((entry) => {
      const path = join(entry.parentPath, entry.name);
      const content = readFileSync(path);
      return [path, (path.endsWith(".gz") ? gunzipSync(content) : content).toString("utf8")];
    });
}
