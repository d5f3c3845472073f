/** Name of the application's images without a tag: `mlops-app`, after the registry if there is one. */
export const releaseRepository = (registry: string): string =>
  registry === "" ? "mlops-app" : `${registry}/mlops-app`;

/**
 * Name of a release's image, such as `registry.example.com/team/mlops-app:v1.0.0`.
 *
 * @param registry registry and path; "" for the Docker host's own images.
 * @param tag tag of the release.
 */
export const releaseReference = (registry: string, tag: string): string =>
  `${releaseRepository(registry)}:${tag}`;
