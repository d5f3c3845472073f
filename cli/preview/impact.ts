/** What a change does to those who use the stack, from nothing to the worst. */
export const IMPACTS = ["no downtime", "reload", "seconds of downtime", "touches data"] as const;

/** One of {@link IMPACTS}. */
export type Impact = (typeof IMPACTS)[number];

/** What a change does, and why. */
export interface Judgement {
  readonly impact: Impact;
  /** Service that is away meanwhile, or whose data is touched. @default none */
  readonly service?: string;
  /** What users and operators notice, in a few words. */
  readonly why: string;
}

/** The worst of several; "no downtime" where there is nothing. */
export function worst(changes: readonly Judgement[]): Impact {
  const ranks = changes.map(({ impact }) => IMPACTS.indexOf(impact));
  return IMPACTS[Math.max(0, ...ranks)] ?? "touches data";
}

/** The class as it is shown, with the service that is away. */
export const describeImpact = ({ impact, service }: Judgement): string =>
  service === undefined ? impact : `${impact} (${service})`;

/** What nobody has thought about is taken for the worst. */
export const unknown = (what: string): Judgement => ({
  impact: "touches data",
  why: `unknown kind of change, taken for the worst: ${what}`,
});
