/**
 * Ends of the names of the resources whose passwords can be made anew at any time, by what they are
 * rotated with. Other generated secrets are part of the data: the app's key is in every logged
 * input's hash, and the backups' key is needed for as long as there is a backup.
 */
export const PASSWORDS = {
  postgres: [
    "postgres-superuser-password",
    "postgres-mlops-password",
    "postgres-mlflow-password",
    "postgres-metrics-password",
  ],
  redis: ["redis-password"],
  // It has no secret of its own but the password of its role.
  mlflow: ["postgres-mlflow-password"],
} as const satisfies Readonly<Record<string, readonly string[]>>;

/** A service with passwords of its own. */
export type PasswordOwner = keyof typeof PASSWORDS;
