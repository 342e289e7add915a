// IPI extension (SBI 2.0, chapter 7): makes the supervisor software interrupt pending on
// other harts. A stopped hart cannot take one and is passed over, as the HSM extension's
// states imply.
import { HsmState, PmuEvent, SbiError } from "../abi/sbi";
import { hartStatus, setSoftInterrupt } from "../hart/control";
import { argument, fail, hartsOf, succeed } from "./call";
import { countFirmwareEvent } from "./state";

const SEND_IPI: u32 = 0;

/** Sends one to each hart whose bit is set in `harts`, which holds only harts that exist. */
export function sendIpi(hart: u32, harts: u32): void {
  while (harts != 0) {
    const target = <u32>ctz(harts);
    harts &= harts - 1;
    if (hartStatus(target) == HsmState.STOPPED) continue;
    countFirmwareEvent(hart, PmuEvent.FW_IPI_SENT);
    countFirmwareEvent(target, PmuEvent.FW_IPI_RECEIVED);
    setSoftInterrupt(target, true);
  }
}

export function handleIpi(hart: u32, fid: u32): bool {
  if (fid != SEND_IPI) return fail(SbiError.NOT_SUPPORTED);
  const harts = hartsOf(argument(0), argument(1));
  if (harts < 0) return fail(SbiError.INVALID_PARAM);
  sendIpi(hart, <u32>harts);
  return succeed(0);
}
