// What the hypervisor asks of a guest in its worker, by name: arguments and answers are plain data.
import type { ExitCount } from "../engine/exit-counters.ts";
import type { ExecResult } from "../guest/agent.ts";
import type { Guest } from "../guest/guest.ts";
import type { MemoryStats, MemoryUsage } from "../guest/memory.ts";
import type { BudgetChange } from "../hypercall/policy.ts";

/** A command's settings that are plain data. */
export interface HostedExecOptions {
  /** Standard input of the command; /dev/null if left out. */
  stdin?: Uint8Array;
  /** Host milliseconds after which it is no longer waited for. */
  timeout?: number;
  /** Most bytes of output to collect; past it the command fails. 64 MiB if left out. */
  outputLimit?: number;
}

export interface GuestStatistics {
  /** Instructions that all harts have retired. */
  instructions: number;
  /** Guest time since its start. */
  seconds: number;
  /** Host time in which its worker was busy, in seconds: the guest, and what stands behind its devices. */
  busySeconds: number;
  /** Host time in which the guest's own turns took place, and in which it had to wait for other guests', in seconds. */
  ranSeconds: number;
  heldBackSeconds: number;
  /** Exits since its start, of all kinds. */
  exits: number;
  /** The same, by cause. */
  counters: ExitCount[];
  /** Hypercalls that were refused. */
  refusals: number;
  memory: MemoryUsage;
  /** Bytes of its WebAssembly memory that are none of the guest's. */
  overheadBytes: number;
}

/** What the guest's worker knows of its own time. */
export interface HostSeconds {
  busy: number;
  ran: number;
  heldBack: number;
}

function statistics(guest: Guest, { busy, ran, heldBack }: HostSeconds): GuestStatistics {
  const counters = guest.counters();
  return {
    instructions: guest.instructions,
    seconds: guest.seconds,
    busySeconds: busy,
    ranSeconds: ran,
    heldBackSeconds: heldBack,
    exits: counters.reduce((sum, { count }) => sum + Number(count), 0),
    counters,
    refusals: Number(guest.refusals),
    memory: guest.memory(),
    overheadBytes: guest.overheadBytes,
  };
}

/** By name: what is called with a guest and the arguments. */
export const CALLS = {
  ready: (guest: Guest) => guest.ready(),
  exec: (guest: Guest, command: string, options: HostedExecOptions): Promise<ExecResult> =>
    guest.exec(command, options),
  pause: (guest: Guest) => guest.pause(),
  resume: (guest: Guest) => guest.resume(),
  close: (guest: Guest) => guest.close(),
  powerOff: (guest: Guest, grace: number) => guest.powerOff(grace),
  write: (guest: Guest, data: Uint8Array) => guest.console.write(data),
  resize: (guest: Guest, columns: number, rows: number) => guest.console.resize(columns, rows),
  counters: (guest: Guest): ExitCount[] => guest.counters(),
  setBalloon: (guest: Guest, bytes: number) => guest.setBalloon(bytes),
  memoryStats: (guest: Guest): Promise<MemoryStats> => guest.memoryStats(),
  memoryUsed: (guest: Guest) => guest.memoryUsed(),
  setHotplugMemory: (guest: Guest, bytes: number) => guest.setHotplugMemory(bytes),
  changeBudget: (guest: Guest, device: string, change: BudgetChange) => guest.changeBudget(device, change),
  resizeDisk: (guest: Guest, disk: number, bytes: number) => guest.resizeDisk(disk, bytes),
  statistics,
} as const;

export type CallName = keyof typeof CALLS;
type Rest<T> = T extends (guest: Guest, ...rest: infer R) => unknown ? R : never;
export type CallArguments<Name extends CallName> = Rest<(typeof CALLS)[Name]>;
export type CallAnswer<Name extends CallName> = Awaited<ReturnType<(typeof CALLS)[Name]>>;
