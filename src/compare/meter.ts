// What a stretch of a guest's run cost: exits by cause, instructions, guest time, host time.
// Snapshots are taken inside the guest's own output or disk access, before its next
// instruction, so a window begins and ends where the workload says, not where the host looked.
import { Timebase } from "../../assembly/abi/memory-map.ts";
import type { ExitCount } from "../engine/exit-counters.ts";
import type { Guest } from "../guest/guest.ts";

/** Times of the host. */
export interface HostTimes {
  /** Processor time of this process so far, in us. */
  cpuMicroseconds(): number;
  /** A clock that never goes back, in ms. */
  now(): number;
}

interface HostMoment {
  cpu: number;
  wall: number;
}

/** The counters at one instruction. */
export interface Snapshot {
  ticks: number;
  instructions: number;
  exits: ReadonlyMap<string, number>;
  /** Host times before and after the counters were read: reading is part of no window. */
  before: HostMoment;
  after: HostMoment;
}

/** A window's costs. */
export interface Usage {
  /** Guest time, 10 MHz. */
  ticks: number;
  instructions: number;
  exits: ReadonlyMap<string, number>;
  cpuMicroseconds: number;
  wallMicroseconds: number;
}

/** "nvme write bar 0 0x1008", "plic read 0x201004", "sbi time 0": one cause of exits. */
export function causeOf(exit: ExitCount): string {
  const register = exit.register === undefined ? "other" : `0x${exit.register.toString(16)}`;
  if (exit.kind === "hypercall") return `sbi ${exit.name} ${exit.register ?? "other"}`;
  if (exit.kind === "refused") return `refused sbi ${exit.name} ${exit.register ?? "other"}`;
  if (exit.kind !== "device") return `${exit.kind} ${register}`;
  return `${exit.name} ${exit.direction} ${exit.bar > 0 ? `bar ${exit.bar} ` : ""}${register}`;
}

function moment(times: HostTimes): HostMoment {
  return { cpu: times.cpuMicroseconds(), wall: times.now() };
}

export function snapshot(guest: Guest, times: HostTimes): Snapshot {
  const before = moment(times);
  const exits = new Map<string, number>();
  for (const exit of guest.counters()) {
    // An interrupt taken leaves the guest no more than a trap of its own does.
    if (exit.kind === "interrupt") continue;
    const cause = causeOf(exit);
    exits.set(cause, (exits.get(cause) ?? 0) + Number(exit.count));
  }
  const { ticks, instructions } = guest;
  return { ticks, instructions, exits, before, after: moment(times) };
}

function difference(a: ReadonlyMap<string, number>, b: ReadonlyMap<string, number>): Map<string, number> {
  const causes = [...new Set([...a.keys(), ...b.keys()])].map((cause): [string, number] => [
    cause,
    (a.get(cause) ?? 0) - (b.get(cause) ?? 0),
  ]);
  return new Map(causes.filter(([, count]) => count !== 0));
}

export function between(start: Snapshot, end: Snapshot): Usage {
  return {
    ticks: end.ticks - start.ticks,
    instructions: end.instructions - start.instructions,
    exits: difference(end.exits, start.exits),
    cpuMicroseconds: end.before.cpu - start.after.cpu,
    wallMicroseconds: (end.before.wall - start.after.wall) * 1000,
  };
}

/** What `usage` costs beyond `base`, which does the same but for the operations in question. */
export function beyond(usage: Usage, base: Usage): Usage {
  return {
    ticks: usage.ticks - base.ticks,
    instructions: usage.instructions - base.instructions,
    exits: difference(usage.exits, base.exits),
    cpuMicroseconds: usage.cpuMicroseconds - base.cpuMicroseconds,
    wallMicroseconds: usage.wallMicroseconds - base.wallMicroseconds,
  };
}

/** Parts of a window whose rates are taken apart. */
const PARTS = 9;

/** The middle one of an odd number of values. */
function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[values.length >> 1];
}

/** What a Tally found. */
export interface Passed {
  usage: Usage;
  /** How much passed by in the window. */
  count: number;
  /** How much of it in a guest second: the median over equal parts of the window, since a busy host halts some. */
  rate: number;
}

/** Watches something pass by (bytes, lines), and measures from when `first` have until `last` have. */
export class Tally {
  readonly #first: number;
  readonly #last: number;
  readonly #guest: Guest;
  readonly #times: HostTimes;
  #count = 0;
  #start: Snapshot | undefined;
  #end: Snapshot | undefined;
  /** Count and guest ticks at the start and at the end of each part. */
  readonly #parts: { count: number; ticks: number }[] = [];

  constructor(first: number, last: number, guest: Guest, times: HostTimes) {
    this.#first = first;
    this.#last = last;
    this.#guest = guest;
    this.#times = times;
  }

  add(amount: number): void {
    this.#count += amount;
    if (this.#end !== undefined || this.#count < this.#nextPart()) return;
    if (this.#count >= this.#last) this.#end = snapshot(this.#guest, this.#times);
    else this.#start ??= snapshot(this.#guest, this.#times);
    this.#parts.push({ count: this.#count, ticks: this.#guest.ticks });
  }

  #nextPart(): number {
    return this.#first + ((this.#last - this.#first) * this.#parts.length) / PARTS;
  }

  /** @throws Error if not enough passed by. */
  result(what: string): Passed {
    const parts = this.#parts;
    if (this.#start === undefined || this.#end === undefined) {
      throw new Error(`${this.#count} ${what} came, ${this.#last} were expected`);
    }
    const rates = parts.slice(1).map((part, i) => {
      const ticks = part.ticks - parts[i].ticks;
      // Parts that are over within a tick of the clock are as fast as it can tell.
      return ((part.count - parts[i].count) / Math.max(ticks, 1)) * Timebase.HZ;
    });
    return {
      usage: between(this.#start, this.#end),
      count: parts[parts.length - 1].count - parts[0].count,
      rate: median(rates),
    };
  }
}
