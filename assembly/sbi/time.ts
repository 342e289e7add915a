// Timer extension (SBI 2.0, chapter 6). One function: the supervisor timer interrupt
// becomes pending when `time` reaches stime_value, and is not pending until then. An
// stime_value of -1 is never reached, which is how a guest switches its timer off.
import { PmuEvent, SbiError } from "../abi/sbi";
import { setSupervisorTimer } from "../devices/timer/aclint";
import { argument, fail, succeed } from "./call";
import { countFirmwareEvent } from "./state";

const SET_TIMER: u32 = 0;

/** Shared with the legacy set_timer call. */
export function setTimer(hart: u32, deadline: u64): void {
  countFirmwareEvent(hart, PmuEvent.FW_SET_TIMER);
  setSupervisorTimer(hart, deadline, true);
}

export function handleTime(hart: u32, fid: u32): bool {
  if (fid != SET_TIMER) return fail(SbiError.NOT_SUPPORTED);
  setTimer(hart, argument(0));
  return succeed(0);
}
