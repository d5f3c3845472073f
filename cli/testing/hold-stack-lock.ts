import { createInterface } from "node:readline";
import { createContext } from "../context";
import { StackLockedError } from "../errors";
import { withStackLock } from "../stack-lock";

/**
 * Tries to take the lock of stack `dev` of the project in the folder it is given whenever it reads
 * a line, and says `held` or `refused`. What it got it holds until it is ended.
 */
const [root = ""] = process.argv.slice(2);
const context = createContext(root, process.env);
const never = new Promise<never>(() => undefined);
process.stdout.write("ready\n");
createInterface({ input: process.stdin })
  .on("line", () => {
    void withStackLock(context, "dev", "./mlops deploy v1", () => {
      process.stdout.write("held\n");
      return never;
    }).catch((error: unknown) => {
      process.stdout.write(error instanceof StackLockedError ? "refused\n" : `${String(error)}\n`);
    });
  })
  .on("close", () => process.exit());
