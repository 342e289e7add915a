// paravane compare --overtax: what direct calls cost neighbours. A quiet guest's throughput and latency while others
// raise the rate of their calls, with and without budgets.
import { NOISES, type Noise, QUIET, type QuietAmounts } from "./guests.ts";
import { OVERTAX_SCHEMA, type Overtax, type OvertaxRow, type QuietFigures, STEPS } from "./result.ts";
import { type Measured, type OvertaxHost, runRound } from "./run.ts";

export { drawOvertax } from "./chart.ts";
export type { OvertaxGuest, OvertaxGuestOptions, OvertaxHypervisor } from "./guests.ts";
export * from "./result.ts";
export type { OvertaxHost } from "./run.ts";
export { formatOvertax } from "./table.ts";

export interface OvertaxOptions {
  host: OvertaxHost;
  machine: Record<string, string | number>;
  /** How many noisy guests at a time (default: one a core, so that cores are short). */
  noisyGuests?: number;
  /** One round, shorter stretches. */
  quick?: boolean;
  /** Hears of each round. */
  progress?(line: string): void;
}

const AMOUNTS: QuietAmounts = { warm: 10_000, settle: 500, closed: 8000, open: 2000 };
const QUICK_AMOUNTS: QuietAmounts = { warm: 5000, settle: 300, closed: 3000, open: 1000 };
const ROUNDS = 3;

export async function runOvertax({
  host,
  machine,
  noisyGuests,
  quick = false,
  progress = () => {},
}: OvertaxOptions): Promise<Overtax> {
  const amounts = quick ? QUICK_AMOUNTS : AMOUNTS;
  const rounds = quick ? 1 : ROUNDS;
  const hypervisor = host.createHypervisor();
  const { cores } = hypervisor;
  const noisy = noisyGuests ?? cores;
  await hypervisor.close();

  const rows: OvertaxRow[] = [];
  for (const noise of NOISES) {
    const samples: Record<"with" | "without", Measured[][]> = { with: [], without: [] };
    for (let round = 0; round < rounds; round++) {
      // In turns, so that what else goes on in this machine falls on both.
      for (const kind of ["without", "with"] as const) {
        progress(`${noise.what}, ${kind} budgets, round ${round + 1} of ${rounds}`);
        samples[kind].push(
          await runRound(host, noise, { budgeted: kind === "with", noisyGuests: noisy, steps: STEPS, amounts }),
        );
      }
    }
    rows.push(rowOf(noise, samples.with, samples.without));
  }
  return { schema: OVERTAX_SCHEMA, machine, cores, noisyGuests: noisy, quiet: QUIET, rows };
}

function rowOf({ name, what, budget }: Noise, withBudgets: Measured[][], withoutBudgets: Measured[][]): OvertaxRow {
  const steps = [0, ...STEPS].map((times, step) => ({
    times,
    withBudgets: figuresOf(withBudgets, step),
    withoutBudgets: figuresOf(withoutBudgets, step),
  }));
  return { noise: name, what, budget, steps };
}

/** Of the step at index `step` of each round; its neighbours were silent at the first and at the last. */
function figuresOf(rounds: readonly Measured[][], step: number): QuietFigures {
  const over = (value: (measured: Measured, silent: Measured) => number) =>
    median(rounds.map((measured) => value(step === 0 ? silentOf(measured) : measured[step], silentOf(measured))));
  return {
    done: over(({ done }) => done),
    throughput: over(({ throughput }) => throughput),
    throughputRatio: over((it, silent) => it.throughput / silent.throughput),
    p50: over(({ p50 }) => p50),
    p99: over(({ p99 }) => p99),
    p99Ratio: over((it, silent) => it.p99 / silent.p99),
  };
}

function silentOf(measured: readonly Measured[]): Measured {
  const [first, last] = [measured[0], measured[measured.length - 1]];
  const middle = (key: "throughput" | "p50" | "p99") => (first[key] + last[key]) / 2;
  return { times: 0, done: 0, throughput: middle("throughput"), p50: middle("p50"), p99: middle("p99") };
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}
