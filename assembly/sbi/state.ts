// What the hypervisor remembers of each hart for SBI: counters of the PMU extension and
// the places of its shared memories. Plain data at SbiAt.STATE; a shared memory is kept as
// the guest physical address and checked against RAM again at every use.
import { Layout } from "../abi/layout";
import { PmuCounter, SbiAt } from "../abi/sbi";

/** Offsets of the arrays that come before SbiHart's fields. */
const VALUES: usize = 0; // u64 x FIRMWARE_COUNT
const EVENTS: usize = 0x80; // u32 x FIRMWARE_COUNT, event_idx
const FIELDS: usize = 0xc0;

@unmanaged
export class SbiHart {
  /** Bit n: logical counter n is mapped to an event. */
  configured: u32;
  /** Bit n: logical counter n counts. */
  started: u32;
  /** Shared memory of PMU snapshots, 4 KiB; 0 none. */
  snapshot: u64;
  /** Shared memory of steal time, 64 bytes; 0 none. */
  stealTime: u64;
  /** Nanoseconds that this hart could have run and did not. */
  stolen: u64;
}

function base(hart: u32): usize {
  return <usize>SbiAt.STATE + <usize>hart * <usize>SbiAt.HART_SIZE;
}

// @ts-ignore: decorator
@inline
export function sbiHart(hart: u32): SbiHart {
  return changetype<SbiHart>(base(hart) + FIELDS);
}

/** Firmware counter `n` (0 is logical counter PmuCounter.FIRMWARE). */
export function firmwareValue(hart: u32, n: u32): u64 {
  return load<u64>(base(hart) + VALUES + ((<usize>n) << 3));
}

export function setFirmwareValue(hart: u32, n: u32, value: u64): void {
  store<u64>(base(hart) + VALUES + ((<usize>n) << 3), value);
}

export function firmwareEvent(hart: u32, n: u32): u32 {
  return load<u32>(base(hart) + EVENTS + ((<usize>n) << 2));
}

export function setFirmwareEvent(hart: u32, n: u32, event: u32): void {
  store<u32>(base(hart) + EVENTS + ((<usize>n) << 2), event);
}

/** One `event` happened on or to `hart`: every firmware counter that counts it goes up. */
export function countFirmwareEvent(hart: u32, event: u32): void {
  let counting = sbiHart(hart).started >> <u32>PmuCounter.FIRMWARE;
  while (counting != 0) {
    const n = ctz(counting);
    if (firmwareEvent(hart, n) == event) setFirmwareValue(hart, n, firmwareValue(hart, n) + 1);
    counting &= counting - 1;
  }
}

/** As after power-on: no counter is mapped, nothing is shared. */
export function resetSbiHart(hart: u32): void {
  memory.fill(base(hart), 0, <usize>SbiAt.HART_SIZE);
}

export function resetSbiState(): void {
  memory.fill(<usize>SbiAt.STATE, 0, <usize>SbiAt.END - <usize>SbiAt.STATE);
}

/** After a restore: the counter bitmaps name counters that exist, and only mapped ones count. */
export function validateSbiState(): bool {
  const counters: u32 = (1 << <u32>PmuCounter.COUNT) - 1;
  for (let hart: u32 = 0; hart < <u32>Layout.MAX_HARTS; hart++) {
    const s = sbiHart(hart);
    if ((s.configured & ~counters) != 0 || (s.started & ~s.configured) != 0) return false;
  }
  return true;
}
