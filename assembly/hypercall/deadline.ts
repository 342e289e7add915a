// When the machine must next look at the time for the sake of budgets. Apart from parked.ts, so
// that the timers' deadlines can ask for it without knowing harts.
import { HypercallAt, Parked } from "../abi/hypercall";
import { Layout, Machine } from "../abi/layout";

const NEVER: u64 = ~0;

/** Tick at which the next hart or device may go on, ~0 if none waits for time. */
export function budgetDeadline(): u64 {
  let earliest = NEVER;
  const count = load<u32>(<usize>Machine.HART_COUNT);
  for (let h: u32 = 0; h < min(count, <u32>Layout.MAX_HARTS); h++) {
    const until = load<u64>(<usize>HypercallAt.PARKED + <usize>h * <usize>Parked.SIZE, Parked.UNTIL);
    if (until != 0) earliest = min(earliest, until);
  }
  const held = load<u64>(<usize>HypercallAt.HELD_UNTIL);
  return held == 0 ? earliest : min(earliest, held);
}
