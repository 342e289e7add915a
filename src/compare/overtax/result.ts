// What `paravane compare --overtax --json` writes.

export const OVERTAX_SCHEMA = "paravane-overtax/1";

/** How often, in budgets, the noisy guests call; the first and the last of a run are silent. */
export const STEPS = [1, 2, 5, 10] as const;

export interface Overtax {
  schema: typeof OVERTAX_SCHEMA;
  machine: Record<string, string | number>;
  /** Cores that the guests share, and noisy guests at a time: with one a core they are short. */
  cores: number;
  noisyGuests: number;
  /** What the quiet guest does, for people. */
  quiet: string;
  rows: OvertaxRow[];
}

/** One kind of noise. */
export interface OvertaxRow {
  noise: NoiseName;
  what: string;
  /** Operations a second that the budget of each noisy guest allows. */
  budget: number;
  steps: OvertaxStep[];
}

export type NoiseName = "null" | "dbcn" | "disk";

export interface OvertaxStep {
  /** Of its budget that each noisy guest wants; 0: they stand still. */
  times: number;
  withBudgets: QuietFigures;
  withoutBudgets: QuietFigures;
}

/** Medians over the rounds. */
export interface QuietFigures {
  /** Operations a second that one noisy guest got done. */
  done: number;
  /** Requests a second of the quiet guest's, one after the other. */
  throughput: number;
  /** The same as a share of what it has beside silent neighbours, in the same round. */
  throughputRatio: number;
  /** Microseconds from when a request was due, one a millisecond, to its end. */
  p50: number;
  p99: number;
  /** p99 in terms of that beside silent neighbours, in the same round. */
  p99Ratio: number;
}
