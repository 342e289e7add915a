// Where an ecall from S-mode lands in the paravirtual boot: counts the hypercall and finds
// its extension (SBI 2.0). Not offered: CPPC (no frequencies to choose) and NACL (no
// nested virtualization).
import { SbiError, SbiExtension } from "../abi/sbi";
import { countHypercall } from "../exits";
import { handleBase } from "./base";
import { argument, fail } from "./call";
import { handleDbcn } from "./dbcn";
import { handleHsm } from "./hsm";
import { handleIpi } from "./ipi";
import { handleLegacy } from "./legacy";
import { handlePmu } from "./pmu";
import { handleRfence } from "./rfence";
import { handleSrst } from "./srst";
import { handleSta } from "./sta";
import { handleSusp } from "./susp";
import { handleTime } from "./time";

/** A number that is no function of any extension. */
const NO_FUNCTION: u32 = u32.MAX_VALUE;

/**
 * Serves the SBI call in the running hart's registers. True: a0 and a1 hold the answer and
 * the caller continues after its ecall. False: the hart has been stopped, suspended or
 * reset, and its pc is no longer the caller's.
 */
export function sbiCall(hart: u32): bool {
  const extension = argument(7);
  // Both are 32-bit numbers; what does not fit is no call at all.
  const eid: u32 = extension > <u64>u32.MAX_VALUE ? u32.MAX_VALUE : <u32>extension;
  const fid: u32 = argument(6) > <u64>u32.MAX_VALUE ? NO_FUNCTION : <u32>argument(6);
  countHypercall(eid, eid <= <u32>SbiExtension.LEGACY_SHUTDOWN ? 0 : fid);
  if (eid <= <u32>SbiExtension.LEGACY_SHUTDOWN) return handleLegacy(hart, eid);
  switch (eid) {
    case SbiExtension.BASE:
      return handleBase(fid);
    case SbiExtension.TIME:
      return handleTime(hart, fid);
    case SbiExtension.IPI:
      return handleIpi(hart, fid);
    case SbiExtension.RFENCE:
      return handleRfence(hart, fid);
    case SbiExtension.HSM:
      return handleHsm(hart, fid);
    case SbiExtension.SRST:
      return handleSrst(fid);
    case SbiExtension.PMU:
      return handlePmu(hart, fid);
    case SbiExtension.DBCN:
      return handleDbcn(fid);
    case SbiExtension.SUSP:
      return handleSusp(hart, fid);
    case SbiExtension.STA:
      return handleSta(hart, fid);
    default:
      return fail(SbiError.NOT_SUPPORTED);
  }
}
