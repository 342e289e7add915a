// The hypervisor's own extension, in the range for firmware (SBI 2.0, chapter 17):
//
//   null()                        does nothing
//   multicall(list, count, first) makes the calls of a list in guest memory, from entry `first`
//                                 on (0), in one exit; value: count
//
// A list has at most CallLimit.ENTRIES entries (MulticallEntry): extension, function, a0 to a5, and behind them
// the error and the value that the call came back with. Each is granted, limited and counted like a call of its own.
// What may not be in a list: another list, and calls that do not come back to their caller (SBI_ERR_DENIED).
// Where an entry has to wait, so does the whole call, with a2 at that entry: it is done again from there, so that
// no entry is done twice and an interrupt in between does no harm.
import { CallLimit, MulticallEntry, ParavaneFunction } from "../abi/hypercall";
import { HartAt } from "../abi/layout";
import { HsmFunction, SbiError, SbiExtension } from "../abi/sbi";
import { countHypercall } from "../exits";
import { spend } from "../hypercall/budget";
import { awaitsHost, setEntry } from "../hypercall/parked";
import { dmaRead, dmaWrite, inRam } from "../memory/ram";
import { argument, fail, succeed } from "./call";
import { callOnce } from "./dispatch";

const A0: usize = <usize>HartAt.X + 80;
const A6: usize = A0 + 48;
const A7: usize = A0 + 56;
const ENTRY: u32 = MulticallEntry.SIZE;

export function handleParavane(hart: u32, fid: u32, budget: u32): bool {
  if (fid == <u32>ParavaneFunction.NULL) return succeed(0);
  return fid == <u32>ParavaneFunction.MULTICALL ? multicall(hart, budget) : fail(SbiError.NOT_SUPPORTED);
}

/** Does the call not come back, or make calls of its own? */
export function mayNotNest(eid: u32, fid: u32): bool {
  switch (eid) {
    case SbiExtension.LEGACY_SHUTDOWN:
    case SbiExtension.SRST:
    case SbiExtension.SUSP:
      return true;
    case SbiExtension.HSM:
      return fid == <u32>HsmFunction.HART_STOP || fid == <u32>HsmFunction.HART_SUSPEND;
    case SbiExtension.PARAVANE:
      return fid == <u32>ParavaneFunction.MULTICALL;
  }
  return false;
}

function multicall(hart: u32, budget: u32): bool {
  const list = argument(0);
  const count = argument(1);
  const first = argument(2);
  if (count > <u64>CallLimit.ENTRIES || first > count) return counted(fail(SbiError.INVALID_PARAM));
  if ((list & 7) != 0 || !inRam(list, count * ENTRY)) return counted(fail(SbiError.INVALID_ADDRESS));
  // The registers that calls do not change (SBI 2.0, chapter 3).
  const a3 = argument(3);
  const a4 = argument(4);
  const a5 = argument(5);
  const a6 = argument(6);
  const a7 = argument(7);
  let done = first;
  let waits = false;
  for (; done < count; done++) {
    const entry = list + done * ENTRY;
    const from = dmaRead(entry, ENTRY);
    if (from == 0) break;
    memory.copy(A0, from + <usize>MulticallEntry.ARGUMENTS, 48);
    store<u64>(A6, load<u32>(from, MulticallEntry.FID));
    store<u64>(A7, load<u32>(from, MulticallEntry.EID));
    if (!callOnce(hart, true)) {
      if (awaitsHost(hart)) setEntry(hart, entry);
      waits = true;
      break;
    }
    const to = dmaWrite(entry, ENTRY);
    if (to == 0) break;
    store<i64>(to, load<i64>(A0), MulticallEntry.ERROR);
    store<u64>(to, load<u64>(A0 + 8), MulticallEntry.VALUE);
  }
  store<u64>(A0, list);
  store<u64>(A0 + 8, count);
  store<u64>(A0 + 16, waits ? done : first);
  store<u64>(A0 + 24, a3);
  store<u64>(A0 + 32, a4);
  store<u64>(A0 + 40, a5);
  store<u64>(A6, a6);
  store<u64>(A7, a7);
  if (waits) {
    // It will be done again, and must not pay for each time.
    spend(budget, -1, 0);
    return false;
  }
  return counted(done == count ? succeed(count) : fail(SbiError.INVALID_ADDRESS));
}

/** Counts the call, which did not wait. */
function counted(returns: bool): bool {
  countHypercall(SbiExtension.PARAVANE, ParavaneFunction.MULTICALL);
  return returns;
}
