// What a comparison finds, as `paravane compare --json` writes it. Whatever depends on the
// host is under `machine` or `host`; on the virtual clock all else repeats exactly.
import type { Form } from "../machine/catalogue.ts";

export const SCHEMA = "paravane-compare/1";

/** Functions of the machine, as its catalogue calls them, and calls to the hypervisor, in the order of the table. */
export const SUITES = [
  ...(["console", "block", "network", "files", "agent", "vsock"] as const),
  ...(["timer", "ipi", "interrupts", "rtc", "entropy", "memory", "hypercalls"] as const),
];
export type Suite = (typeof SUITES)[number];

/** kB/s and MB/s are powers of ten; us and ns are latencies, so less is better. */
export type Unit = "kB/s" | "IOPS" | "MB/s" | "us" | "ns" | "packets/s" | "pages/s";

export interface Comparison {
  schema: typeof SCHEMA;
  /** Where it ran: nothing in it repeats. */
  machine: Record<string, string | number>;
  guest: GuestFacts;
  rows: Row[];
}

export interface GuestFacts {
  name: "debian" | "probe";
  /** Kernel and what else identifies the guest. */
  version: string;
  clock: "host" | "virtual";
  seed?: string;
  /** What each boot was; paths name theirs by index. */
  boots: string[];
}

/** One workload over every path that the guest has to it. */
export interface Row {
  function: Suite;
  workload: string;
  unit: Unit;
  /** What exits, instructions and host time are counted per. */
  operation: string;
  paths: Path[];
  /** Forms that the guest's kernel cannot drive. */
  absent: Absence[];
}

export interface Absence {
  form: Form;
  device: string;
  /** Why, for people. */
  reason: string;
}

export interface Path {
  form: Form;
  device: string;
  /** Index into guest.boots. */
  boot: number;
  /** In the row's unit; null if it failed. */
  value: number | null;
  /** Operations that were measured. */
  operations: number;
  /** Accesses to device registers and calls to the hypervisor, an operation. */
  exits: number;
  /** Guest instructions, an operation. */
  instructions: number;
  /** The exits an operation by register or call, most frequent first. */
  causes: Record<string, number>;
  /** Of latencies: the extremes beside the median or mean that `value` is. */
  range?: { minimum: number; maximum: number };
  /** Why there is no value. */
  error?: string;
  host: HostCost;
}

export interface HostCost {
  /** Processor time an operation, all threads of this process, in us. */
  cpuMicroseconds: number;
  /** The same by the wall clock. */
  wallMicroseconds: number;
}

/** Latencies are better the lower, throughputs the higher. */
export function lessIsBetter(unit: Unit): boolean {
  return unit === "us" || unit === "ns";
}
