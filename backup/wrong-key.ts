import { CommandError } from "../cli/errors";
import type { Places } from "./settings";

/** The key is not the one that the repository was made with. */
export class WrongKeyError extends CommandError {
  /** @param repository which of them, for people. */
  constructor(places: Pick<Places, "keys">, repository: string, options?: ErrorOptions) {
    super(
      `The key in ${places.keys}/backup_key does not open the repository ${repository}; nothing was changed.`,
      "Put back the key that it was made with (backupKey); ./mlops backups --key printed it.",
      options,
    );
  }
}
