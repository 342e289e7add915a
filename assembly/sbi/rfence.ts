// RFENCE extension (SBI 2.0, chapter 8): FENCE.I and SFENCE.VMA on other harts. A fence is
// handed to the target before its next instruction, so the call is synchronous as the
// chapter asks. There is no hypervisor extension, so the HFENCE calls are not supported.
import { HsmState, PmuEvent, RfenceFunction, SbiError } from "../abi/sbi";
import { hartStatus, remoteFence } from "../hart/control";
import { HartRequest } from "../hart/state";
import { argument, fail, hartsOf, succeed } from "./call";
import { countFirmwareEvent } from "./state";

const ALL_ASIDS: i64 = -1;

/** An ASID has at most 16 bits (Privileged Architecture, satp). */
const ASID_BITS: u64 = 0xffff;

const LAST_PAGE: u64 = ~(<u64>0xfff);

function fence(hart: u32, harts: u32, kind: u32, start: u64, size: u64, asid: i64, sent: u32): void {
  // Start and size both 0, or a size of -1, mean the whole space (8.1). So does, here, a range
  // that wraps or reaches into the last page, behind which a walk over pages would wrap: to
  // fence more is never wrong. All of these are handed on one way: from 0, of size -1.
  if ((start == 0 && size == 0) || start + size < start || start + size > LAST_PAGE) {
    start = 0;
    size = u64.MAX_VALUE;
  }
  while (harts != 0) {
    const target = <u32>ctz(harts);
    harts &= harts - 1;
    // A hart that starts later starts with empty caches.
    if (hartStatus(target) == HsmState.STOPPED) continue;
    countFirmwareEvent(hart, sent);
    countFirmwareEvent(target, sent + 1); // each _RECEIVED event follows its _SENT
    remoteFence(target, kind, start, size, asid);
  }
}

export function fenceI(hart: u32, harts: u32): void {
  fence(hart, harts, HartRequest.FENCE_I, 0, 0, ALL_ASIDS, PmuEvent.FW_FENCE_I_SENT);
}

export function sfenceVma(hart: u32, harts: u32, start: u64, size: u64): void {
  fence(hart, harts, HartRequest.FENCE_VMA, start, size, ALL_ASIDS, PmuEvent.FW_SFENCE_VMA_SENT);
}

export function sfenceVmaAsid(hart: u32, harts: u32, start: u64, size: u64, asid: u64): void {
  fence(hart, harts, HartRequest.FENCE_VMA, start, size, <i64>(asid & ASID_BITS), PmuEvent.FW_SFENCE_VMA_ASID_SENT);
}

export function handleRfence(hart: u32, fid: u32): bool {
  if (fid > <u32>RfenceFunction.SFENCE_VMA_ASID) return fail(SbiError.NOT_SUPPORTED);
  const harts = hartsOf(argument(0), argument(1));
  if (harts < 0) return fail(SbiError.INVALID_PARAM);
  switch (fid) {
    case RfenceFunction.FENCE_I:
      fenceI(hart, <u32>harts);
      break;
    case RfenceFunction.SFENCE_VMA:
      sfenceVma(hart, <u32>harts, argument(2), argument(3));
      break;
    default:
      sfenceVmaAsid(hart, <u32>harts, argument(2), argument(3), argument(4));
  }
  return succeed(0);
}
