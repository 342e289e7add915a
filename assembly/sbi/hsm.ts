// Hart State Management extension (SBI 2.0, chapter 9). Only the boot hart runs when the
// kernel is entered; the others wait here, stopped, for hart_start.
import { HsmFunction, SbiError } from "../abi/sbi";
import { hartStart, hartStatus, hartStop, hartSuspend } from "../hart/control";
import { inRam } from "../memory/ram";
import { argument, fail, hartCount, succeed } from "./call";
import { releaseCounters } from "./pmu";
import { resetSbiHart } from "./state";

// suspend_type: bit 31 says non-retentive, the rest which state. Only the two default
// states exist; 0x1000_0000 and up in each half are a platform's own, of which there is none.
const NON_RETENTIVE: u32 = 0x8000_0000;
const PLATFORM_STATES: u32 = 0x1000_0000;

/** True if a hart may begin executing at physical address `address`. */
export function executable(address: u64): bool {
  return (address & 1) == 0 && inRam(address, 4);
}

function start(): bool {
  const target = argument(0);
  const address = argument(1);
  if (target >= <u64>hartCount()) return fail(SbiError.INVALID_PARAM);
  if (!executable(address)) return fail(SbiError.INVALID_ADDRESS);
  const error = hartStart(<u32>target, address, argument(2));
  if (error != SbiError.SUCCESS) return fail(error);
  return succeed(0);
}

function stop(hart: u32): bool {
  releaseCounters(hart);
  resetSbiHart(hart);
  hartStop(hart);
  return false;
}

function suspend(hart: u32): bool {
  const type = <u32>argument(0);
  const state = type & ~NON_RETENTIVE;
  if (state >= PLATFORM_STATES) return fail(SbiError.NOT_SUPPORTED);
  if (state != 0) return fail(SbiError.INVALID_PARAM);
  if (type == 0) {
    succeed(0);
    hartSuspend(hart, true, 0, 0);
    return true;
  }
  const address = argument(1);
  if (!executable(address)) return fail(SbiError.INVALID_ADDRESS);
  hartSuspend(hart, false, address, argument(2));
  return false;
}

export function handleHsm(hart: u32, fid: u32): bool {
  switch (fid) {
    case HsmFunction.HART_START:
      return start();
    case HsmFunction.HART_STOP:
      return stop(hart);
    case HsmFunction.HART_GET_STATUS: {
      const target = argument(0);
      if (target >= <u64>hartCount()) return fail(SbiError.INVALID_PARAM);
      return succeed(hartStatus(<u32>target));
    }
    case HsmFunction.HART_SUSPEND:
      return suspend(hart);
    default:
      return fail(SbiError.NOT_SUPPORTED);
  }
}
