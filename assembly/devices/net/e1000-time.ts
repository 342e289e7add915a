// SYSTIM, the clock of IEEE 1588 time stamps (82574 7.8.2): every `incperiod` cycles of
// 40 ns it grows by `incvalue`. It follows the guest's clock.
import { ticks } from "../../clock";
import { E1000 } from "./e1000-state";

const VALUE: u32 = 0x00ff_ffff;
const PERIOD_SHIFT: u32 = 24;

/** SYSTIM now. */
export function systemTime(s: E1000): u64 {
  const period = s.timinca >> PERIOD_SHIFT;
  if (period == 0) return s.systim;
  // Two cycles and a half a tick.
  const cycles = ((ticks() - s.systimSince) * 5) >> 1;
  return s.systim + cycles / period * (s.timinca & VALUE);
}

/** Sets SYSTIM, its pace, or both. */
export function setSystemTime(s: E1000, time: u64, timinca: u32): void {
  s.systim = time;
  s.systimSince = ticks();
  s.timinca = timinca;
}
