/** Ends a command with an exit code after it has already said everything. */
export class ExitCodeError extends Error {
  constructor(readonly exitCode: number) {
    super(`exit code ${exitCode}`);
    this.name = "ExitCodeError";
  }
}
