import type { FilesPartName } from "../manifest";

/** A volume that a restore fills. */
export interface Target {
  /** Folder under {@link TARGET_ROOT} at which it is mounted for that. */
  readonly name: string;
  /** Service that owns it, and what it is for: the parts of its name on the Docker host. */
  readonly service: string;
  readonly purpose: string;
  /** Part of the set that it comes from, and the folder that was backed up; none for the database. */
  readonly files?: { readonly part: FilesPartName; readonly source: string };
}

/** Where the volumes are mounted, writable, in the container that restores. */
export const TARGET_ROOT = "/target";

/** Every volume that is restored; the database first, since most of what can go wrong is there. */
export const TARGETS = [
  { name: "postgres", service: "postgres", purpose: "data" },
  {
    name: "mlflow",
    service: "mlflow",
    purpose: "artifacts",
    files: { part: "mlflow", source: "/source/mlflow" },
  },
  {
    name: "redis",
    service: "redis",
    purpose: "data",
    files: { part: "redis", source: "/source/redis" },
  },
  {
    name: "app-data",
    service: "app",
    purpose: "data",
    files: { part: "app", source: "/source/app/data" },
  },
  {
    name: "app-models",
    service: "app",
    purpose: "models",
    files: { part: "app", source: "/source/app/models" },
  },
] as const satisfies readonly Target[];
