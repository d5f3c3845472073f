import type { Changes } from "./operation-progress";

/** Operations of the engine that change something, with the word for it after and before. */
const OPERATIONS: readonly (readonly [operation: string, done: string, planned: string])[] = [
  ["create", "created", "to create"],
  ["update", "updated", "to update"],
  ["replace", "replaced", "to replace"],
  ["delete", "deleted", "to delete"],
];

/** Whether an operation changed anything, or would. */
export function hasChanges(changes: Changes): boolean {
  return OPERATIONS.some(([operation]) => (changes[operation] ?? 0) > 0);
}

/** One line such as `3 created, 1 replaced, 40 unchanged`. */
export function summarize(changes: Changes, tense: "done" | "planned"): string {
  const unchanged = `${changes["same"] ?? 0} unchanged`;
  if (!hasChanges(changes)) return `No changes: ${unchanged}.`;
  const parts = OPERATIONS.filter(([operation]) => (changes[operation] ?? 0) > 0).map(
    ([operation, done, planned]) =>
      `${changes[operation] ?? 0} ${tense === "done" ? done : planned}`,
  );
  return `${[...parts, unchanged].join(", ")}.`;
}
