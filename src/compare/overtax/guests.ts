// The guests of an overtax run: all are the probe (bench/probe), whose bootargs say what they do. Each noisy guest has a
// rate of its own and stands still until it is wanted.
import type { Policy } from "../../hypercall/policy.ts";
import type { GuestStatistics } from "../../hypervisor/calls.ts";
import type { GuestEvent } from "../../hypervisor/hosted-guest.ts";
import type { NoiseName } from "./result.ts";

export interface OvertaxGuestOptions {
  kernel: Uint8Array;
  append: string;
  memory: string;
  codeCache: string;
  disks: { path: string; readOnly: true }[];
  policy?: Policy;
}

/** What is needed of a hypervisor's guest. */
export interface OvertaxGuest {
  boot(): Promise<void>;
  pause(): Promise<void>;
  resume(): Promise<void>;
  statistics(): Promise<GuestStatistics>;
  wait(): Promise<unknown>;
}

/** What is needed of a hypervisor. */
export interface OvertaxHypervisor {
  readonly cores: number;
  create(id: string, options: OvertaxGuestOptions): OvertaxGuest;
  onEvent(listener: (event: GuestEvent) => void): () => void;
  close(): Promise<void>;
}

export interface Noise {
  name: NoiseName;
  what: string;
  /** Operations a second. */
  budget: number;
  policy(budget: NonNullable<Policy["egress"]>): Policy;
  /** How many operations these counters say. */
  done(statistics: GuestStatistics): number;
}

const calls = (name: string) => (statistics: GuestStatistics) =>
  statistics.counters
    .filter((it) => it.kind === "hypercall" && it.name === name)
    .reduce((sum, { count }) => sum + Number(count), 0);

/** VirtIO 1.2, 4.2.2: QueueNotify, once a request here. */
const QUEUE_NOTIFY = 0x50;

/** Ten times each budget is about what a core can do. */
export const NOISES: readonly Noise[] = [
  {
    name: "null",
    what: "null calls, served in the engine",
    budget: 3_000_000,
    policy: (budget) => ({ calls: { budgets: { paravane_null: budget } } }),
    done: calls("paravane"),
  },
  {
    name: "dbcn",
    what: "64 bytes by SBI DBCN, which the manager's thread takes",
    budget: 20_000,
    policy: (budget) => ({ calls: { budgets: { dbcn: budget } } }),
    done: calls("dbcn"),
  },
  {
    name: "disk",
    what: "4 KiB reads of a file by virtio-blk",
    budget: 15_000,
    policy: (budget) => ({ devices: { disk0: budget } }),
    done: ({ counters }) =>
      counters
        .filter((it) => it.kind === "device" && it.register === QUEUE_NOTIFY && it.direction === "write")
        .reduce((sum, { count }) => sum + Number(count), 0),
  },
];

/** A tick of the probe's clock is 0.1 us. */
export const TICKS_PER_SECOND = 10_000_000;
const BEAT = 10_000;
const BEATS = TICKS_PER_SECOND / BEAT;
/** Beats that nobody sees the end of. */
const FOREVER = 10_000_000;
/** In which budgets are refilled from empty to full, in ms. */
const REFILL = 10;
/** Turns of arithmetic in a request of the quiet guest's: about a tenth of a millisecond. */
const WORK = 100_000;

/** Bootargs of a guest that wants `times` its budget. */
export function noiseArgs({ name, budget }: Noise, times: number): string {
  return `load=${name} burst=${Math.round((budget * times) / BEATS)} period=${BEAT} count=${FOREVER}`;
}

export function noisePolicy(noise: Noise): Policy {
  return noise.policy({ operations: { size: Math.max(1, (noise.budget * REFILL) / 1000), refill_time: REFILL } });
}

/** How many requests the quiet guest makes in each stretch. */
export interface QuietAmounts {
  warm: number;
  settle: number;
  closed: number;
  open: number;
}

/** The first stretch warms up; then three for each step: to settle, one request after the other, one a millisecond. */
export function quietArgs({ warm, settle, closed, open }: QuietAmounts, steps: number): string {
  const stretch = (period: number, count: number) => `load=disk work=${WORK} period=${period} count=${count}`;
  const step = [stretch(BEAT, settle), stretch(0, closed), stretch(BEAT, open)];
  return [stretch(0, warm), ...Array.from({ length: steps }, () => step).flat()].join("; ");
}

export const QUIET =
  "requests of about 0.1 ms of arithmetic and a 4 KiB read of a file: one after the other for throughput, one a millisecond for latency";
