// Harts that wait at their ecall: until there is budget left, when it is done again, or
// until the host has answered it. While it waits for budget a hart takes interrupts, as between
// any two instructions; one that waits for the host does not, for its call is under way.
import { HypercallAt, Parked } from "../abi/hypercall";
import { Layout } from "../abi/layout";
import { ticks } from "../clock";
import { countUnretired } from "../hart/counters";
import { hartOf } from "../hart/state";
import { wouldTake } from "../hart/trap";

const NEVER: u64 = ~0;

// @ts-ignore: decorator
@inline
function parkedAt(h: u32): usize {
  return <usize>HypercallAt.PARKED + <usize>h * <usize>Parked.SIZE;
}

/** The running hart, `h`, stays at its ecall until tick `until`, or if that is ~0 until unpark(). */
export function park(h: u32, until: u64): void {
  store<u64>(parkedAt(h), until, Parked.UNTIL);
  store<u64>(parkedAt(h), 0, Parked.ENTRY);
  hartOf(h).waiting = 1;
  countUnretired();
}

/** What the host is to answer is an entry of a multicall, at this address. */
export function setEntry(h: u32, address: u64): void {
  store<u64>(parkedAt(h), address, Parked.ENTRY);
}

export function entryOf(h: u32): u64 {
  return load<u64>(parkedAt(h), Parked.ENTRY);
}

export function isParked(h: u32): bool {
  return load<u64>(parkedAt(h), Parked.UNTIL) != 0;
}

export function awaitsHost(h: u32): bool {
  return load<u64>(parkedAt(h), Parked.UNTIL) == NEVER;
}

/** The hart may go on. */
export function unpark(h: u32): void {
  store<u64>(parkedAt(h), 0, Parked.UNTIL);
  store<u64>(parkedAt(h), 0, Parked.ENTRY);
  hartOf(h).waiting = 0;
}

/** Is a parked hart to run now? */
export function isDue(h: u32): bool {
  const until = load<u64>(parkedAt(h), Parked.UNTIL);
  return until != NEVER && (ticks() >= until || wouldTake(h));
}

export function resetParked(): void {
  memory.fill(<usize>HypercallAt.PARKED, 0, <usize>Parked.SIZE * <usize>Layout.MAX_HARTS);
  store<u64>(<usize>HypercallAt.HELD_UNTIL, 0);
}
