// Calls that are not made: the guest gets the error that the specification names, the exit counters have it apart, and
// the host finds the first few since it last looked. A guest that floods costs no more than the count.
import { HypercallAt, Refusal, Refused } from "../abi/hypercall";
import { SbiError, SbiExtension } from "../abi/sbi";
import { countRefused } from "../exits";
import { pc } from "../hart/state";
import { fail, legacyReturn } from "./call";

const AT: usize = HypercallAt.REFUSED;

/** Returns `error` to the caller, and notes why. */
export function refuse(hart: u32, eid: u32, fid: u32, reason: Refusal, error: SbiError): bool {
  const isLegacy = eid <= <u32>SbiExtension.LEGACY_SHUTDOWN;
  countRefused(eid, isLegacy ? 0 : fid);
  store<u64>(AT, load<u64>(AT, Refused.TOTAL) + 1, Refused.TOTAL);
  const n = load<u32>(AT, Refused.COUNT);
  if (n != u32.MAX_VALUE) store<u32>(AT, n + 1, Refused.COUNT);
  if (n < <u32>Refused.KEPT) {
    const record = AT + <usize>Refused.RECORDS + <usize>n * <usize>Refused.RECORD_SIZE;
    store<u32>(record, eid, Refused.EID);
    store<u32>(record, isLegacy ? 0 : fid, Refused.FID);
    store<u32>(record, hart, Refused.HART);
    store<u32>(record, reason, Refused.REASON);
    store<u64>(record, pc(), Refused.PC);
  }
  return isLegacy ? legacyReturn(error) : fail(error);
}
