// Timer extension (SBI 2.0, chapter 6). One function: the supervisor timer interrupt
// becomes pending when `time` reaches stime_value, and is not pending until then. An
// stime_value of -1 is never reached, which is how a guest switches its timer off. The
// deadline is stimecmp's too, as when firmware serves the call on a hart with Sstc.
import { PmuEvent, SbiError } from "../abi/sbi";
import { setSupervisorTimer } from "../devices/timer/aclint";
import { hart as running } from "../hart/state";
import { argument, fail, succeed } from "./call";
import { countFirmwareEvent } from "./state";

const SET_TIMER: u32 = 0;

/** Shared with the legacy set_timer call. */
export function setTimer(hart: u32, deadline: u64): void {
  countFirmwareEvent(hart, PmuEvent.FW_SET_TIMER);
  running().stimecmp = deadline;
  setSupervisorTimer(hart, deadline, true);
}

export function handleTime(hart: u32, fid: u32): bool {
  if (fid != SET_TIMER) return fail(SbiError.NOT_SUPPORTED);
  setTimer(hart, argument(0));
  return succeed(0);
}
