// Which calls this guest may make: the table of abi/hypercall.ts. The engine fills it at reset
// with what it serves, all granted; the host then takes away what the policy does not grant,
// and adds the calls that it serves itself.
import { BudgetAt, CallTable, DeviceSlot, Grant, HostCall, HypercallAt } from "../abi/hypercall";
import { SbiExtension } from "../abi/sbi";

const ROW: u32 = CallTable.ROW_SIZE;
const NO_PLACE: u32 = CallTable.PLACES;

/** Place of a standard extension, or the hypervisor's own, in the table; NO_PLACE if it has none. Legacy ones have a row each. */
function placeOf(eid: u32): u32 {
  switch (eid) {
    case SbiExtension.PARAVANE: return CallTable.PARAVANE;
    case SbiExtension.TIME: return CallTable.TIME;
    case SbiExtension.IPI: return CallTable.IPI;
    case SbiExtension.RFENCE: return CallTable.RFENCE;
    case SbiExtension.HSM: return CallTable.HSM;
    case SbiExtension.BASE: return CallTable.BASE;
    case SbiExtension.SRST: return CallTable.SRST;
    case SbiExtension.PMU: return CallTable.PMU;
    case SbiExtension.DBCN: return CallTable.DBCN;
    case SbiExtension.SUSP: return CallTable.SUSP;
    case SbiExtension.STA: return CallTable.STA;
    default: return NO_PLACE;
  }
}

// @ts-ignore: decorator
@inline
function rowAt(place: u32, fid: u32): usize {
  return <usize>HypercallAt.TABLE + <usize>((place * CallTable.FUNCTIONS + fid) * ROW);
}

// @ts-ignore: decorator
@inline
function hostCallAt(number: u32): usize {
  return <usize>HypercallAt.HOST_CALLS + <usize>number * <usize>HostCall.SIZE;
}

// @ts-ignore: decorator
@inline
function isFirmwareRange(eid: u32): bool {
  return eid >= <u32>SbiExtension.FIRMWARE_FIRST && eid <= <u32>SbiExtension.FIRMWARE_LAST;
}

/** The row of a function; 0 if there is none. */
export function rowOf(eid: u32, fid: u32): usize {
  if (eid <= <u32>SbiExtension.LEGACY_SHUTDOWN) return rowAt(CallTable.LEGACY, eid);
  const place = placeOf(eid);
  if (place != NO_PLACE && fid < <u32>CallTable.FUNCTIONS) return rowAt(place, fid);
  return isFirmwareRange(eid) ? hostRowOf(eid, fid) : 0;
}

/** The same hash as the host's (src/hypercall/table.ts). */
function hash(eid: u32, fid: u32): u32 {
  return ((eid ^ (fid * 0x85eb_ca6b)) * 0x9e37_79b9) >>> 25;
}

function hostRowOf(eid: u32, fid: u32): usize {
  let slot = hash(eid, fid);
  for (let probes: u32 = 0; probes < <u32>HostCall.SLOTS; probes++) {
    const number = <u32>load<u8>(<usize>HypercallAt.HOST_INDEX + <usize>slot);
    if (number == 0 || number > <u32>HostCall.COUNT) return 0;
    const row = hostCallAt(number - 1);
    if (load<u32>(row, HostCall.EID) == eid && load<u32>(row, HostCall.FID) == fid) return row;
    slot = (slot + 1) & (<u32>HostCall.SLOTS - 1);
  }
  return 0;
}

/** Number of a row among those that the host serves, or -1. */
export function hostCallOf(row: usize): i32 {
  return row < <usize>HypercallAt.HOST_CALLS ? -1 : <i32>((row - <usize>HypercallAt.HOST_CALLS) / <usize>HostCall.SIZE);
}

// @ts-ignore: decorator
@inline
export function grantOf(row: usize): u32 {
  return row == 0 ? <u32>Grant.UNKNOWN : <u32>load<u8>(row, CallTable.GRANT);
}

/** Is any function of the extension granted? What BASE's probe answers. */
export function probeExtension(extension: u64): bool {
  if (extension > <u64>u32.MAX_VALUE) return false;
  const eid = <u32>extension;
  if (eid <= <u32>SbiExtension.LEGACY_SHUTDOWN) return grantOf(rowAt(CallTable.LEGACY, eid)) == <u32>Grant.GRANTED;
  const place = placeOf(eid);
  if (place != NO_PLACE) {
    for (let fid: u32 = 0; fid < <u32>CallTable.FUNCTIONS; fid++) {
      if (grantOf(rowAt(place, fid)) == <u32>Grant.GRANTED) return true;
    }
  }
  if (!isFirmwareRange(eid)) return false;
  for (let number: u32 = 0; number < <u32>HostCall.COUNT; number++) {
    const row = hostCallAt(number);
    if (load<u32>(row, HostCall.EID) == eid && grantOf(row) == <u32>Grant.GRANTED) return true;
  }
  return false;
}

function serve(place: u32, functions: u32): void {
  for (let fid: u32 = 0; fid < functions; fid++) store<u8>(rowAt(place, fid), <u8>Grant.GRANTED, CallTable.GRANT);
}

/** What the engine serves, by number of functions from 0 on; all of it granted, nothing of it limited. */
export function resetGrants(): void {
  memory.fill(<usize>HypercallAt.TABLE, 0, <usize>HypercallAt.PARKED - <usize>HypercallAt.TABLE);
  serve(CallTable.LEGACY, 9);
  serve(CallTable.BASE, 7);
  serve(CallTable.TIME, 1);
  serve(CallTable.IPI, 1);
  serve(CallTable.RFENCE, 3);
  serve(CallTable.HSM, 4);
  serve(CallTable.SRST, 1);
  serve(CallTable.PMU, 8);
  serve(CallTable.DBCN, 3);
  serve(CallTable.SUSP, 1);
  serve(CallTable.STA, 1);
  serve(CallTable.PARAVANE, 2);
}

function rowSound(row: usize): bool {
  return load<u8>(row, CallTable.GRANT) <= <u8>Grant.DENIED && load<u8>(row, CallTable.BUDGET) < <u8>BudgetAt.COUNT;
}

/** After a restore: every row says something, and names a budget that exists; so do devices. */
export function validateGrants(): bool {
  for (let place: u32 = 0; place < <u32>CallTable.PLACES; place++) {
    for (let fid: u32 = 0; fid < <u32>CallTable.FUNCTIONS; fid++) if (!rowSound(rowAt(place, fid))) return false;
  }
  for (let number: u32 = 0; number < <u32>HostCall.COUNT; number++) if (!rowSound(hostCallAt(number))) return false;
  for (let slot: u32 = 0; slot < <u32>HostCall.SLOTS; slot++) {
    if (load<u8>(<usize>HypercallAt.HOST_INDEX + <usize>slot) > <u8>HostCall.COUNT) return false;
  }
  for (let slot: u32 = 0; slot < <u32>DeviceSlot.COUNT; slot++) {
    if (load<u8>(<usize>HypercallAt.DEVICES + <usize>slot) >= <u8>BudgetAt.COUNT) return false;
  }
  return true;
}
