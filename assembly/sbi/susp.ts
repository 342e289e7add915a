// System Suspend extension (SBI 2.0, chapter 13). Suspend to RAM: every other hart must be
// stopped; this one sleeps until an interrupt that it has enabled and wakes at the given
// address with translation off. Devices keep running, as RAM does.
import { HsmState, SbiError } from "../abi/sbi";
import { hartStatus, hartSuspend } from "../hart/control";
import { argument, fail, hartCount } from "./call";
import { executable } from "./hsm";

const SYSTEM_SUSPEND: u32 = 0;
const SUSPEND_TO_RAM: u32 = 0;

export function handleSusp(hart: u32, fid: u32): bool {
  if (fid != SYSTEM_SUSPEND) return fail(SbiError.NOT_SUPPORTED);
  if (<u32>argument(0) != SUSPEND_TO_RAM) return fail(SbiError.INVALID_PARAM);
  const address = argument(1);
  if (!executable(address)) return fail(SbiError.INVALID_ADDRESS);
  const count = hartCount();
  for (let other: u32 = 0; other < count; other++) {
    if (other != hart && hartStatus(other) != HsmState.STOPPED) return fail(SbiError.DENIED);
  }
  hartSuspend(hart, false, address, argument(2));
  return false;
}
