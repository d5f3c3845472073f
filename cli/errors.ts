/**
 * An error that a person can act on: what is wrong, and what to do. It is printed as one paragraph
 * without a stack trace.
 */
export class CommandError extends Error {
  /**
   * @param problem what is wrong, as a sentence or two.
   * @param fix what puts it right, as a sentence, best with the command.
   */
  constructor(
    readonly problem: string,
    readonly fix: string,
    options?: ErrorOptions,
  ) {
    // A list in the problem needs a line of its own for what comes after it.
    super(`${problem}${problem.includes("\n") ? "\n" : " "}${fix}`, options);
    this.name = new.target.name;
  }
}

/** A long step failed; the end of its log says why. */
export class StepError extends CommandError {
  constructor(
    readonly title: string,
    readonly logFile: string,
    readonly logTail: string,
    reason: string,
    retry: string,
    options?: ErrorOptions,
  ) {
    super(
      `${title} failed: ${reason.replace(/\.$/, "")}.`,
      `The end of the log is above, all of it in ${logFile}. When the cause is gone, try again with: ${retry}`,
      options,
    );
  }
}

/** The Docker daemon does not answer. */
export class DockerUnreachableError extends CommandError {
  constructor(address: string, reason: string, fix?: string) {
    super(
      `The Docker daemon at ${address} cannot be reached (${reason}).`,
      fix ??
        "Start it (systemctl start docker, or let ./mlops up do it), or set DOCKER_HOST to one that runs.",
    );
  }
}

/** Something needs root, and there is no way to it without asking. */
export class PrivilegeError extends CommandError {
  constructor(purpose: string, command: string) {
    super(
      `${purpose} needs root, and neither this user is root nor does sudo work without a password.`,
      `Run it once by hand, then run this command again: ${command}`,
    );
  }
}

/** A port that the stack publishes is held by something else. */
export class PortTakenError extends CommandError {
  constructor(port: number, address: string, holder: string, key: string, stack: string) {
    super(
      `Port ${port} on ${address} is taken by ${holder}, and stack "${stack}" would publish it (${key}).`,
      `Stop that, or choose another port: pulumi config set ${key} PORT --stack ${stack}`,
    );
  }
}

/** Too little room for what is about to be written. */
export class DiskFullError extends CommandError {
  constructor(path: string, freeBytes: number, neededBytes: number) {
    const gib = (bytes: number): string => (bytes / 2 ** 30).toFixed(1);
    super(
      `Only ${gib(freeBytes)} GiB are free on the disk that holds ${path}; ${gib(neededBytes)} GiB are needed. Nothing was changed.`,
      "Free some room (docker system df shows what Docker uses), or move Docker's data to a larger disk.",
    );
  }
}

/** No backup is young enough for what is about to be done. */
export class BackupAgeError extends CommandError {
  constructor(stack: string, problem: string, maxAgeHours: number) {
    super(
      `${problem} Stack "${stack}" deploys only with a verified backup that is at most ${maxAgeHours} h old (backupMaxAge). Nothing was changed.`,
      `Make one (./mlops backup --stack ${stack}), or accept to deploy without: pulumi config set backupMaxAge 0 --stack ${stack}`,
    );
  }
}

/** The stack is neither committed nor deployed. */
export class UnknownStackError extends CommandError {
  constructor(stack: string, known: readonly string[]) {
    super(
      `There is no stack "${stack}". Known stacks: ${known.length === 0 ? "none" : known.join(", ")}.`,
      `Name one of them with --stack, or make a new one by writing Pulumi.${stack}.yaml.`,
    );
  }
}

/** The stack exists but nothing of it runs. */
export class NotDeployedError extends CommandError {
  constructor(stack: string) {
    super(`Stack "${stack}" is not deployed.`, `Deploy it with: ./mlops up --stack ${stack}`);
  }
}

/** The passphrase does not open the stack's secrets. */
export class WrongPassphraseError extends CommandError {
  constructor(stack: string, source: string) {
    super(
      `The passphrase in ${source} does not open the secrets of stack "${stack}".`,
      "Put back the passphrase that the stack was made with: set PULUMI_CONFIG_PASSPHRASE_FILE to its file. " +
        "Without it the stack's secrets are lost.",
    );
  }
}

/** A file with secrets that others can read. */
export class ExposedFileError extends CommandError {
  constructor(path: string, mode: number) {
    super(
      `${path} holds secrets and others can read it (mode ${(mode & 0o777).toString(8).padStart(4, "0")}).`,
      `Close it, and think about who may have read it: chmod 600 ${path}`,
    );
  }
}

/** A file that is there but cannot be read. */
export class UnreadableFileError extends CommandError {
  constructor(path: string, reason: string, fix: string) {
    super(`${path} cannot be read (${reason}).`, fix);
  }
}

/** An image that is neither on the host nor to be had. */
export class ImageNotFoundError extends CommandError {
  constructor(reference: string, reason: string, fix: string) {
    super(`The image ${reference} is not on this Docker host and cannot be had: ${reason}`, fix);
  }
}

/** Somebody else works on the stack right now. */
export class StackLockedError extends CommandError {
  /**
   * @param owner who, in words, with process and host.
   * @param lock whether its owner is on another host, where this one cannot see whether it lives;
   *   and the command that removes it.
   */
  constructor(
    stack: string,
    owner: string,
    since: Date,
    lock: { readonly isElsewhere: boolean; readonly removal: string },
  ) {
    super(
      `Stack "${stack}" is being changed by ${owner} since ${since.toISOString()}; nothing was changed here.`,
      lock.isElsewhere
        ? `Wait until that ends. Whether it lives cannot be seen from this host; if you are certain that it is gone: ${lock.removal}`
        : "Wait until that ends, or stop it; what an owner that ended left behind is released by itself.",
    );
  }
}

/** Pulumi itself refused or failed; its own diagnostics say why. */
export class DeploymentError extends CommandError {
  constructor(
    operation: string,
    stack: string,
    diagnostics: readonly string[],
    retry: string,
    options?: ErrorOptions,
  ) {
    super(
      `${operation} of stack "${stack}" failed${
        diagnostics.length === 0
          ? "."
          : `:\n${diagnostics.map((text) => `  ${text.replaceAll("\n", "\n  ")}`).join("\n")}`
      }`,
      `What had been done is recorded, the next run continues from there: ${retry}`,
      options,
    );
  }
}

/** The text of anything that was thrown. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** The `code` that Node's system errors carry, such as `ENOENT`. */
export function codeOf(error: unknown): string | undefined {
  return error instanceof Error && "code" in error && typeof error.code === "string"
    ? error.code
    : undefined;
}

/** The HTTP status with which the Docker daemon refused something, such as 404. */
export function statusOf(error: unknown): number | undefined {
  return error instanceof Error && "statusCode" in error && typeof error.statusCode === "number"
    ? error.statusCode
    : undefined;
}
