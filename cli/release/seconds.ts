/** Milliseconds are all that is worth keeping of a step's seconds. */
export const rounded = (seconds: number): number => Math.round(seconds * 1000) / 1000;
