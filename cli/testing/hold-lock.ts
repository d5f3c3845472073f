import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { createContext } from "../context";
import { withLock } from "../lock";

/** Takes the lock `thing` of the folder it is given, says so, and holds it until it is killed. */
const [root = ""] = process.argv.slice(2);
const context = { ...createContext(root, process.env), cacheDir: join(root, "cache") };
void withLock(context, "thing", async () => {
  process.stdout.write("held\n");
  await delay(600_000);
});
