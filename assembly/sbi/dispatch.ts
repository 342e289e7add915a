// Where an ecall from S-mode lands in the paravirtual boot (SBI 2.0): finds the call's row in
// the guest's table, which says whether it is granted and what budget it has, counts it, and has its
// extension serve it. Not offered: CPPC (no frequencies to choose) and NACL (no nested virtualization).
import { BudgetAt, CallTable, Grant, OverBudget, ParavaneFunction, Refusal } from "../abi/hypercall";
import { SbiError, SbiExtension } from "../abi/sbi";
import { countHypercall } from "../exits";
import { budgetAt, countOver, isLimited, takeOperation, withinAt } from "../hypercall/budget";
import { park } from "../hypercall/parked";
import { handleBase } from "./base";
import { argument, fail } from "./call";
import { handleDbcn } from "./dbcn";
import { grantOf, hostCallOf, rowOf } from "./grants";
import { serveOnHost } from "./host-call";
import { handleHsm } from "./hsm";
import { handleIpi } from "./ipi";
import { handleLegacy } from "./legacy";
import { handleParavane, mayNotNest } from "./paravane";
import { handlePmu } from "./pmu";
import { refuse } from "./refuse";
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
 * reset, and its pc is no longer the caller's; or it waits at its ecall (hypercall/parked.ts).
 */
export function sbiCall(hart: u32): bool {
  return callOnce(hart, false);
}

/** The same, or if it is `nested` an entry of a multicall: False then means that it waits. */
export function callOnce(hart: u32, nested: bool): bool {
  const extension = argument(7);
  // Both are 32-bit numbers; what does not fit is no call at all.
  const eid: u32 = extension > <u64>u32.MAX_VALUE ? u32.MAX_VALUE : <u32>extension;
  const fid: u32 = argument(6) > <u64>u32.MAX_VALUE ? NO_FUNCTION : <u32>argument(6);
  const row = rowOf(eid, fid);
  const grant = grantOf(row);
  if (grant != <u32>Grant.GRANTED) {
    if (grant == <u32>Grant.UNKNOWN) return refuse(hart, eid, fid, Refusal.UNKNOWN, SbiError.NOT_SUPPORTED);
    return refuse(hart, eid, fid, Refusal.DENIED, SbiError.DENIED);
  }
  if (nested && mayNotNest(eid, fid)) return refuse(hart, eid, fid, Refusal.NESTED, SbiError.DENIED);
  const budget = <u32>load<u8>(row, CallTable.BUDGET);
  if (isLimited(budget)) {
    const exhausted = takeOperation(budget);
    if (exhausted >= 0) return pastBudget(hart, eid, fid, budget, <u32>exhausted);
  }
  if (eid == <u32>SbiExtension.PARAVANE && fid < 2) {
    if (fid == <u32>ParavaneFunction.NULL) countHypercall(eid, fid); // a multicall counts itself
    return handleParavane(hart, fid, budget);
  }
  countHypercall(eid, eid <= <u32>SbiExtension.LEGACY_SHUTDOWN ? 0 : fid);
  const number = hostCallOf(row);
  return number < 0 ? serve(hart, eid, fid, budget) : serveOnHost(hart, <u32>number, row, budget);
}

/** Nothing is left of budget `exhausted`, the call's own or the guest's. */
function pastBudget(hart: u32, eid: u32, fid: u32, budget: u32, exhausted: u32): bool {
  if (load<u32>(budgetAt(exhausted), BudgetAt.OVER) == <u32>OverBudget.REFUSE) {
    countOver(exhausted, BudgetAt.REFUSED);
    return refuse(hart, eid, fid, Refusal.BUDGET, SbiError.DENIED);
  }
  countOver(exhausted, BudgetAt.DELAYED);
  park(hart, withinAt(budget));
  return false;
}

function serve(hart: u32, eid: u32, fid: u32, budget: u32): bool {
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
      return handleDbcn(fid, budget);
    case SbiExtension.SUSP:
      return handleSusp(hart, fid);
    case SbiExtension.STA:
      return handleSta(hart, fid);
    default:
      return fail(SbiError.NOT_SUPPORTED);
  }
}
