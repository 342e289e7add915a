// Memory accesses of the slow path: translation, devices, misalignment, traps. A load or
// store that succeeds in RAM leaves an entry in the TLB for the next.
import { Cause } from "../abi/csr";
import { busMapped, busRead, busWrite } from "../bus";
import { Gpa } from "../abi/layout";
import { noteWrite, writeTagsStale } from "../memory/backed";
import { slotOf, writeToCode } from "../memory/code-map";
import { hostPage, isRom, pageIndex } from "../memory/physical";
import { Access } from "./access-kind";
import { accessFault, leafGlobal, leafSize, OK, physical, translate } from "./mmu";
import { hart, Mode } from "./state";
import { dataMode, fill, settleWrites } from "./tlb";
import { raise } from "./trap";

const OFFSET: u64 = 0xfff;

/** Where the last `locate` found memory: a host address, or 0 if it is a device's at `physical`. */
let host: usize = 0;

/** Translates an access of `size` bytes within a page. False: an exception was raised. */
function locate(va: u64, access: Access, size: u32): bool {
  const s = hart();
  const cause = translate(va, access, dataMode(s));
  if (cause != OK) {
    raise(<u32>cause, va);
    return false;
  }
  const page = hostPage(physical & ~OFFSET);
  host = page == 0 ? 0 : page + <usize>(physical & OFFSET);
  if (page == 0 || isRom(physical)) return true;
  if (access == Access.LOAD) {
    fill(va, page, false, leafGlobal, leafSize);
    return true;
  }
  noteWrite((physical & ~OFFSET) - <u64>(<u32>Gpa.RAM), 4096);
  if (slotOf(pageIndex(physical)) != 0) writeToCode(pageIndex(physical), <u32>(physical & OFFSET), size);
  else fill(va, page, true, leafGlobal, leafSize);
  return true;
}

function readHost(at: usize, size: u32): u64 {
  switch (size) {
    case 1: return load<u8>(at);
    case 2: return load<u16>(at);
    case 4: return load<u32>(at);
  }
  return load<u64>(at);
}

function writeHost(at: usize, size: u32, value: u64): void {
  switch (size) {
    case 1: store<u8>(at, <u8>value); break;
    case 2: store<u16>(at, <u16>value); break;
    case 4: store<u32>(at, <u32>value); break;
    default: store<u64>(at, value);
  }
}

/** Loads `size` bytes, zero-extended; look at hart().trapped. */
export function readMemory(va: u64, size: u32): u64 {
  if ((va & OFFSET) + size > 4096) return readAcross(va, size);
  if (!locate(va, Access.LOAD, size)) return 0;
  if (host != 0) return readHost(host, size);
  if ((physical & (size - 1)) != 0 || !busMapped(physical)) {
    raise(Cause.LOAD_ACCESS, va);
    return 0;
  }
  return busRead(physical, size);
}

/** A load that straddles two pages: both must be memory. */
function readAcross(va: u64, size: u32): u64 {
  let value: u64 = 0;
  for (let i: u32 = 0; i < size; i++) {
    if (!locate(va + i, Access.LOAD, 1)) return 0;
    if (host == 0) {
      raise(Cause.LOAD_ACCESS, va);
      return 0;
    }
    value |= <u64>load<u8>(host) << ((<u64>i) << 3);
  }
  return value;
}

/** Stores the low `size` bytes of `value`. False: an exception was raised. */
export function writeMemory(va: u64, size: u32, value: u64): bool {
  if ((va & OFFSET) + size > 4096) return writeAcross(va, size, value);
  if (!locate(va, Access.STORE, size)) return false;
  if (host != 0) {
    if (isRom(physical)) {
      raise(Cause.STORE_ACCESS, va);
      return false;
    }
    writeHost(host, size, value);
    return true;
  }
  if ((physical & (size - 1)) != 0 || !busMapped(physical)) {
    raise(Cause.STORE_ACCESS, va);
    return false;
  }
  busWrite(physical, size, value);
  if (writeTagsStale()) settleWrites();
  return true;
}

/** A store that straddles two pages writes nothing unless both halves may be written. */
function writeAcross(va: u64, size: u32, value: u64): bool {
  const second = (va | OFFSET) + 1;
  if (!locate(va, Access.STORE, <u32>(second - va))) return false;
  if (host == 0 || isRom(physical)) {
    raise(Cause.STORE_ACCESS, va);
    return false;
  }
  const low = host;
  if (!locate(second, Access.STORE, size - <u32>(second - va))) return false;
  if (host == 0 || isRom(physical)) {
    raise(Cause.STORE_ACCESS, second);
    return false;
  }
  const first = <u32>(second - va);
  for (let i: u32 = 0; i < size; i++) {
    store<u8>(i < first ? low + i : host + (i - first), <u8>(value >> ((<u64>i) << 3)));
  }
  return true;
}

/** Zeroes the `size`-byte block (a power of two, at most a page) that holds `va`. False: an exception was raised. */
export function zeroBlock(va: u64, size: u32): bool {
  const start = va & ~(<u64>size - 1);
  if (!locate(start, Access.STORE, size)) {
    reportAt(va);
    return false;
  }
  if (host == 0 || isRom(physical)) {
    raise(Cause.STORE_ACCESS, va);
    return false;
  }
  memory.fill(host, 0, size);
  return true;
}

/** The trap that was just raised names `va` instead of the address it was found at. */
function reportAt(va: u64): void {
  const s = hart();
  if (s.mode == <u32>Mode.M) s.mtval = va;
  else s.stval = va;
}

/** Host address of naturally aligned memory for LR, SC and AMO, or 0 with an exception raised. */
export function atomicAddress(va: u64, size: u32, access: Access): usize {
  if ((va & (size - 1)) != 0) {
    raise(access == Access.LOAD ? Cause.LOAD_MISALIGNED : Cause.STORE_MISALIGNED, va);
    return 0;
  }
  if (!locate(va, access, size)) return 0;
  if (host == 0 || (access == Access.STORE && isRom(physical))) {
    raise(<u32>accessFault(access), va);
    return 0;
  }
  return host;
}

/** Physical address that `atomicAddress` last found. */
export function lastPhysical(): u64 {
  return physical;
}
