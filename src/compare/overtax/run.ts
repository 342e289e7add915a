// One round of one kind of noise: a quiet guest that goes through all steps, and for each step noisy guests of its
// rate. All run in workers of one hypervisor. What they contend for is the cores, the thread that manages them and takes
// their output, and the host's disk.
import {
  type Noise,
  noiseArgs,
  noisePolicy,
  type OvertaxGuest,
  type OvertaxGuestOptions,
  type OvertaxHypervisor,
  type QuietAmounts,
  quietArgs,
  TICKS_PER_SECOND,
} from "./guests.ts";

export interface OvertaxHost {
  /** A hypervisor of the library's; the run closes it. */
  createHypervisor(): OvertaxHypervisor;
  readProbe(): Promise<Uint8Array>;
  /** A file of at least a MiB, which stays as it is. */
  readonly diskPath: string;
  /** A clock that never goes back, in ms. */
  now(): number;
  /** Calls `wake` after about `milliseconds`; the result cancels it. */
  startTimer(milliseconds: number, wake: () => void): () => void;
}

/** What a step was: times in microseconds. */
export interface Measured {
  times: number;
  done: number;
  throughput: number;
  p50: number;
  p99: number;
}

/** Host time that a round may take, in ms. */
const PATIENCE = 600_000;
const TICKS_PER_US = TICKS_PER_SECOND / 1e6;

type Words = Record<string, number>;

/** The quiet guest's lines, each told when it is complete. */
class Report {
  #rest = "";
  readonly #listener: (word: string, workload: number, rest: Words) => void;

  constructor(listener: (word: string, workload: number, rest: Words) => void) {
    this.#listener = listener;
  }

  see(bytes: Uint8Array): void {
    const lines = (this.#rest + new TextDecoder().decode(bytes)).split("\n");
    this.#rest = lines.pop()?.slice(-1024) ?? "";
    for (const line of lines) {
      const match = /^probe: (\w+) (\S+) ?(.*)$/.exec(line.trim());
      if (match === null) continue;
      const [, word, which, rest] = match;
      if (word === "error" || word === "trap") throw new Error(`the quiet guest failed: ${line.trim()}`);
      const pairs = [...rest.matchAll(/(\w+)=(\d+)\b/g)].map(([, key, value]): [string, number] => [
        key,
        Number(value),
      ]);
      this.#listener(word, Number(which), Object.fromEntries(pairs));
    }
  }
}

export interface Round {
  /** Have the noisy guests a budget? */
  budgeted: boolean;
  noisyGuests: number;
  /** Of their budget that they want, in turn. */
  steps: readonly number[];
  amounts: QuietAmounts;
}

/** Measures beside silent neighbours, `steps`, and silent ones again; in this order. */
export async function runRound(host: OvertaxHost, noise: Noise, round: Round): Promise<Measured[]> {
  const { steps, amounts } = round;
  const kernel = await host.readProbe();
  const common = { kernel, memory: "16M", codeCache: "4M", disks: [{ path: host.diskPath, readOnly: true as const }] };
  const hypervisor = host.createHypervisor();
  try {
    const groups: OvertaxGuest[][] = [];
    for (const times of steps) groups.push(await bootNoise(hypervisor, common, noise, times, round));
    const plan = [0, ...steps, 0].map((times) => ({ times, guests: times === 0 ? [] : groups[steps.indexOf(times)] }));
    return await measure(host, hypervisor, { ...common, append: quietArgs(amounts, plan.length) }, noise, plan);
  } finally {
    await hypervisor.close();
  }
}

/** Boots what makes noise at this rate, and lets it stand. */
async function bootNoise(
  hypervisor: OvertaxHypervisor,
  common: Omit<OvertaxGuestOptions, "append">,
  noise: Noise,
  times: number,
  { budgeted, noisyGuests }: Round,
): Promise<OvertaxGuest[]> {
  const policy = budgeted ? noisePolicy(noise) : undefined;
  const guests = Array.from({ length: noisyGuests }, (_, n) =>
    hypervisor.create(`noisy-${times}-${n}`, { ...common, append: noiseArgs(noise, times), policy }),
  );
  for (const guest of guests) {
    await guest.boot();
    await guest.pause();
  }
  return guests;
}

interface PlannedStep {
  times: number;
  guests: OvertaxGuest[];
}

async function measure(
  host: OvertaxHost,
  hypervisor: OvertaxHypervisor,
  options: OvertaxGuestOptions,
  noise: Noise,
  plan: readonly PlannedStep[],
): Promise<Measured[]> {
  const found = plan.map(({ times }) => ({ times, done: 0, throughput: 0, p50: 0, p99: 0 }));
  const sinceStep: ({ done: number; at: number } | undefined)[] = [];
  let failed: (error: unknown) => void = () => {};
  const failure = new Promise<never>((_, reject) => {
    failed = reject;
  });
  failure.catch(() => {});
  const doneBy = async ({ guests }: PlannedStep) => {
    const all = await Promise.all(guests.map((guest) => guest.statistics()));
    return { done: all.reduce((sum, it) => sum + noise.done(it), 0) / Math.max(guests.length, 1), at: host.now() };
  };
  // Workloads count from 1: the first warms up, then come three a step.
  const report = new Report((word, workload, words) => {
    const step = Math.floor((workload - 2) / 3);
    const [settles, closed, open] = [0, 1, 2].map((part) => workload >= 2 && (workload - 2) % 3 === part);
    if (word === "begin" && settles) Promise.all(plan[step].guests.map((guest) => guest.resume())).catch(failed);
    if (word === "begin" && closed) doneBy(plan[step]).then((it) => (sinceStep[step] = it), failed);
    if (word === "end" && open) void endOf(step).catch(failed);
    if (word !== "result") return;
    if (closed) found[step].throughput = (words.count / words.ticks) * TICKS_PER_SECOND;
    if (open) Object.assign(found[step], { p50: words.p50 / TICKS_PER_US, p99: words.p99 / TICKS_PER_US });
  });
  const endOf = async (step: number) => {
    const now = doneBy(plan[step]);
    await Promise.all(plan[step].guests.map((guest) => guest.pause()));
    const [before, after] = [sinceStep[step], await now];
    if (before !== undefined) found[step].done = ((after.done - before.done) / (after.at - before.at)) * 1000;
  };

  const forget = hypervisor.onEvent((event) => {
    try {
      if (event.type === "console" && event.guest === "quiet") report.see(event.bytes);
      if (event.type === "state" && event.state === "crashed") throw event.error;
    } catch (error) {
      failed(error);
    }
  });
  const cancel = host.startTimer(PATIENCE, () => failed(new Error("the quiet guest did not come to its end")));
  try {
    const quiet = hypervisor.create("quiet", options);
    await quiet.boot();
    await Promise.race([quiet.wait(), failure]);
  } finally {
    cancel();
    forget();
  }
  if (found.some(({ throughput, p99 }) => throughput === 0 || p99 === 0)) {
    throw new Error("the quiet guest ended before its work was done");
  }
  return found;
}
