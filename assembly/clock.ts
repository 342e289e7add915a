// Guest time: `time`, mtime and everything that compares with them, in 10 MHz ticks.
// Host mode asks the host; virtual mode derives it from retired instructions, so that a
// run repeats.
import { ClockMode, Machine } from "./abi/layout";
import { sliceSteps } from "./hart/counters";
import { now } from "./host";

export function isVirtual(): bool {
  return load<u32>(<usize>Machine.CLOCK) == <u32>ClockMode.VIRTUAL;
}

/** Ticks since the guest started. */
export function ticks(): u64 {
  if (isVirtual()) {
    const total = load<u64>(<usize>Machine.INSTRUCTIONS) + <u64>sliceSteps();
    return total / <u64>load<u32>(<usize>Machine.VIRTUAL_RATE) + load<u64>(<usize>Machine.SKIPPED);
  }
  return <u64>now();
}

/** Nanoseconds since 1970, as the RTC tells it. */
export function wallNanoseconds(): u64 {
  return load<u64>(<usize>Machine.WALL_BASE) + ticks() * 100;
}
