import { PASSWORDS, type PasswordOwner } from "../components/passwords";
import { isPassword, labelOf, type State } from "./state";

/** What can be rotated: each service with passwords of its own, and all of them. */
export const ROTATABLE = [...(Object.keys(PASSWORDS) as PasswordOwner[]), "all"] as const;

/** One of {@link ROTATABLE}. */
export type Rotatable = (typeof ROTATABLE)[number];

/**
 * URNs of the generated passwords in a stack's state that belong to a service. Of one that a killed
 * run was about to replace there may be nothing left but what is to be deleted.
 */
export function passwordsOf(state: State, service: Rotatable): readonly string[] {
  const ends: readonly string[] =
    service === "all" ? Object.values(PASSWORDS).flat() : PASSWORDS[service];
  const urns = state.resources
    .filter((resource) => isPassword(resource) && ends.some((end) => isNamed(resource.urn, end)))
    .map(({ urn }) => urn);
  return [...new Set(urns)];
}

/** A password by the role that it is of, such as `postgres-mlops`. */
export function roleOf(urn: string): string {
  const end = Object.values(PASSWORDS)
    .flat()
    .find((end) => isNamed(urn, end));
  return (end ?? urn).replace(/-password$/, "");
}

const isNamed = (urn: string, end: string): boolean => urn.endsWith(`-${end}`);

/** Services of which a container is another one, or a further one, than before. */
export function restartedServices(before: State, after: State): readonly string[] {
  const known = new Set(before.resources.map(({ id }) => id));
  const services = after.resources
    .filter(({ type, id }) => type === "docker:index/container:Container" && !known.has(id))
    .map((container) => labelOf(container, "mlops.service") ?? container.urn);
  return [...new Set(services)].sort();
}
