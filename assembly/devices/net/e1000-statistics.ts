// Statistics registers (13.7): counters that stop at their largest value and are cleared
// when read; of 64-bit ones the high half's read clears both. Those of errors stay 0:
// there is no wire to make any.
import { E1000, STATISTICS_SIZE, statisticsAt } from "./e1000-state";

/** Offsets from 0x4000. */
export const enum Stat {
  PRC64 = 0x05c,
  GPRC = 0x074,
  BPRC = 0x078,
  MPRC = 0x07c,
  GPTC = 0x080,
  GORCL = 0x088,
  GOTCL = 0x090,
  ROC = 0x0ac,
  TORL = 0x0c0,
  TOTL = 0x0c8,
  TPR = 0x0d0,
  TPT = 0x0d4,
  PTC64 = 0x0d8,
  MPTC = 0x0f0,
  BPTC = 0x0f4,
  TSCTC = 0x0f8,
  TSCTFC = 0x0fc,
  IAC = 0x100,
  ICRXPTC = 0x104,
  ICRXATC = 0x108,
  ICTXPTC = 0x10c,
  ICTXATC = 0x110,
  ICTXQEC = 0x118,
  ICRXDMTC = 0x120,
}

// @ts-ignore: decorator
@inline
function isHighHalf(offset: u32): bool {
  return offset == <u32>Stat.GORCL + 4 || offset == <u32>Stat.GOTCL + 4 || offset == <u32>Stat.TORL + 4 || offset == <u32>Stat.TOTL + 4;
}

/** Reads and clears the counter at `offset` from 0x4000. */
export function readStatistic(s: E1000, offset: u32): u32 {
  if (offset >= STATISTICS_SIZE) return 0;
  const at = statisticsAt(s) + offset;
  const value = load<u32>(at);
  if (isHighHalf(offset)) store<u64>(at - 4, 0);
  else if (!isHighHalf(offset + 4)) store<u32>(at, 0);
  return value;
}

export function count(s: E1000, stat: Stat, by: u32): void {
  const at = statisticsAt(s) + <usize>stat;
  const sum = <u64>load<u32>(at) + by;
  store<u32>(at, <u32>min<u64>(sum, 0xffff_ffff));
}

function countOctets(s: E1000, stat: Stat, by: u64): void {
  const at = statisticsAt(s) + <usize>stat;
  store<u64>(at, load<u64>(at) + by);
}

/** Which of the six counters by length a frame of `length` bytes, check sequence included, belongs to. */
function lengthClass(length: u32): u32 {
  if (length <= 64) return 0;
  if (length <= 127) return 1;
  if (length <= 255) return 2;
  if (length <= 511) return 3;
  return length <= 1023 ? 4 : 5;
}

/** Counts a frame received, whose destination begins at `head`. */
export function countReceived(s: E1000, head: usize, length: u32): void {
  count(s, <Stat>(<u32>Stat.PRC64 + (lengthClass(length) << 2)), 1);
  count(s, Stat.GPRC, 1);
  count(s, Stat.TPR, 1);
  countOctets(s, Stat.GORCL, length);
  countOctets(s, Stat.TORL, length);
  if ((load<u8>(head) & 1) != 0) count(s, isBroadcast(head) ? Stat.BPRC : Stat.MPRC, 1);
}

/** Counts `frames` frames sent of `length` bytes each, check sequence included. */
export function countSent(s: E1000, head: usize, length: u32, frames: u32): void {
  count(s, <Stat>(<u32>Stat.PTC64 + (lengthClass(length) << 2)), frames);
  count(s, Stat.GPTC, frames);
  count(s, Stat.TPT, frames);
  countOctets(s, Stat.GOTCL, <u64>length * frames);
  countOctets(s, Stat.TOTL, <u64>length * frames);
  if ((load<u8>(head) & 1) != 0) count(s, isBroadcast(head) ? Stat.BPTC : Stat.MPTC, frames);
}

// @ts-ignore: decorator
@inline
export function isBroadcast(head: usize): bool {
  return load<u32>(head) == 0xffff_ffff && load<u16>(head, 4) == 0xffff;
}
