// Which code is worth translating: arrivals are counted, at loop heads, call targets and
// wherever else the run loop arrives by a jump.
import { SCALE } from "../memory/code-map";
import { Tier, Machine } from "../abi/layout";
import { HEAT, HEAT_MASK } from "./buffers";

/** Arrivals at an entry between two attempts to translate what begins there. */
const THRESHOLD: u32 = 16384;

let threshold: u32 = THRESHOLD - 1;

/** Takes over what the host wrote to Machine.TIER. */
export function resetHeat(): void {
  memory.fill(HEAT, 0, HEAT_MASK + 2);
  switch (load<u32>(<usize>Machine.TIER)) {
    case Tier.INTERPRETER: threshold = ~(<u32>0); break; // a u16 never has all these bits
    case Tier.TRANSLATOR: threshold = 0; break;
    default: threshold = THRESHOLD - 1;
  }
}

/** Forgets the arrivals at entry `p`: what is there is part of a region now, which may be all that it needs. */
export function coolDown(p: usize): void {
  store<u16>(HEAT + ((p >> SCALE) & HEAT_MASK), 0);
}

/** Counts an arrival at entry `p`. True if now is the time to translate. */
// @ts-ignore: decorator
@inline
export function arrive(p: usize): bool {
  const at = HEAT + ((p >> SCALE) & HEAT_MASK);
  const count = <u32>load<u16>(at) + 1;
  store<u16>(at, <u16>count);
  return (count & threshold) == 0;
}
