/** What a stack ran whose TAG was not named: a hash of what is in `app/`. */
const CONTENT = /^[0-9a-f]{12}$/;

/** Whether a version of the app is the tag of a release. */
export const isReleaseTag = (version: string): boolean => version !== "" && !CONTENT.test(version);
