import { PASSWORDS, type PasswordOwner } from "../components/passwords";
import { isPassword, labelOf, type State, type StateResource } from "./state";

/** What can be rotated: each service with passwords of its own, and all of them. */
export const ROTATABLE = [...(Object.keys(PASSWORDS) as PasswordOwner[]), "all"] as const;

/** One of {@link ROTATABLE}. */
export type Rotatable = (typeof ROTATABLE)[number];

/** The generated passwords in a stack's state that belong to a service, each once. */
export function passwordsOf(state: State, service: Rotatable): readonly StateResource[] {
  const ends: readonly string[] =
    service === "all" ? Object.values(PASSWORDS).flat() : PASSWORDS[service];
  return state.resources.filter(
    (resource) =>
      isPassword(resource) &&
      resource.delete !== true &&
      ends.some((end) => resource.urn.endsWith(`-${end}`)),
  );
}

/** A password by the role that it is of, such as `postgres-mlops`. */
export function roleOf({ urn }: StateResource): string {
  const name = urn.slice(urn.lastIndexOf("::") + 2);
  const ends = Object.values(PASSWORDS).flat();
  return (ends.find((end) => name.endsWith(`-${end}`)) ?? name).replace(/-password$/, "");
}

/** Services of which a container is another one, or a further one, than before. */
export function restartedServices(before: State, after: State): readonly string[] {
  const known = new Set(before.resources.map(({ id }) => id));
  const services = after.resources
    .filter(({ type, id }) => type === "docker:index/container:Container" && !known.has(id))
    .map((container) => labelOf(container, "mlops.service") ?? container.urn);
  return [...new Set(services)].sort();
}
