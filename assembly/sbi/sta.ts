// Steal-time Accounting extension (SBI 2.0, chapter 16). A hart shares 64 bytes with the
// hypervisor, which writes there how long the hart could have run and did not:
//
//   0  u32 sequence    odd while the rest is being written
//   4  u32 flags       0
//   8  u64 steal       nanoseconds
//  16  u8  preempted   not used: harts take turns between instructions of one thread
import { SbiError } from "../abi/sbi";
import { dmaWrite, inRam } from "../memory/ram";
import { argument, fail, succeed } from "./call";
import { sbiHart } from "./state";

const SET_SHMEM: u32 = 0;
const SIZE: u32 = 64;

const SEQUENCE: usize = 0;
const FLAGS: usize = 4;
const STEAL: usize = 8;

/** Adds `stolenNs` to the steal time of `hart`. With a virtual clock nothing is ever stolen: do not call. */
export function staUpdate(hart: u32, stolenNs: u64): void {
  const s = sbiHart(hart);
  s.stolen += stolenNs;
  if (s.stealTime == 0) return;
  const at = dmaWrite(s.stealTime, SIZE);
  if (at == 0) return;
  const sequence = load<u32>(at, SEQUENCE);
  store<u32>(at, sequence | 1, SEQUENCE);
  store<u32>(at, 0, FLAGS);
  store<u64>(at, s.stolen, STEAL);
  store<u32>(at, (sequence | 1) + 1, SEQUENCE);
}

export function handleSta(hart: u32, fid: u32): bool {
  if (fid != SET_SHMEM) return fail(SbiError.NOT_SUPPORTED);
  const low = argument(0);
  const high = argument(1);
  const s = sbiHart(hart);
  if (argument(2) != 0) return fail(SbiError.INVALID_PARAM);
  if ((low & high) == u64.MAX_VALUE) {
    s.stealTime = 0;
    return succeed(0);
  }
  if ((low & <u64>(SIZE - 1)) != 0) return fail(SbiError.INVALID_PARAM);
  if (high != 0 || !inRam(low, SIZE)) return fail(SbiError.INVALID_ADDRESS);
  memory.fill(dmaWrite(low, SIZE), 0, SIZE);
  s.stealTime = low;
  s.stolen = 0;
  return succeed(0);
}
