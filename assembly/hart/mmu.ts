// Address translation: Sv39, Sv48 and Sv57 (Privileged Architecture 12.4 to 12.6), with
// hardware updating of A and D (Svadu) where menvcfg.ADUE allows it, Svnapot and Svpbmt.
import { Cause } from "../abi/csr";
import { Ext } from "../abi/ext";
import { Gpa, Layout } from "../abi/layout";
import { bringIn, noteWrite } from "../memory/backed";
import { inRam } from "../memory/ram";
import { Access } from "./access-kind";
import { EnvCfg, Status } from "./bits";
import { pmpAllows } from "./pmp";
import { hart, hasExtension, Mode } from "./state";

const V: u64 = 1, R: u64 = 2, W: u64 = 4, X: u64 = 8, U: u64 = 16, G: u64 = 32, A: u64 = 64, D: u64 = 128;
const PBMT: u64 = (<u64>3) << 61;
const N: u64 = (<u64>1) << 63;
const RESERVED: u64 = (<u64>0x7f) << 54;
const PPN: u64 = ((<u64>1 << 44) - 1) << 10;

/** Results of the last successful translate(). */
export let physical: u64 = 0;
export let leafGlobal: bool = false;
/** log2 of the size of the page the mapping was cut from. */
export let leafSize: u32 = 12;

export const OK: i32 = -1;

/** True while a translation must leave no trace: an entry whose A bit is clear then faults. */
let quiet: bool = false;

function pageFault(access: Access): i32 {
  return access == Access.FETCH ? Cause.FETCH_PAGE : access == Access.LOAD ? Cause.LOAD_PAGE : Cause.STORE_PAGE;
}

export function accessFault(access: Access): i32 {
  return access == Access.FETCH ? Cause.FETCH_ACCESS : access == Access.LOAD ? Cause.LOAD_ACCESS : Cause.STORE_ACCESS;
}

/** Levels of the page table that satp selects; 0 is bare. */
function levels(): u32 {
  const mode = <u32>(hart().satp >> 60);
  return mode == 0 ? 0 : mode - 5; // 8 Sv39, 9 Sv48, 10 Sv57
}

/** Translates `va` for `access` in `mode`. OK with `physical` set, or the exception's code. */
export function translate(va: u64, access: Access, mode: u32): i32 {
  const depth = mode == <u32>Mode.M ? 0 : levels();
  if (depth == 0) {
    physical = va;
    leafGlobal = false;
    leafSize = 12;
  } else {
    const cause = walk(va, access, mode, depth);
    if (cause != OK) return cause;
  }
  return pmpAllows(physical & ~(<u64>0xfff), access, mode) ? OK : accessFault(access);
}

/** As translate() for a fetch, but changes nothing in memory: OK only where a fetch would not either. */
export function peek(va: u64, mode: u32): i32 {
  quiet = true;
  const cause = translate(va, Access.FETCH, mode);
  quiet = false;
  return cause;
}

function walk(va: u64, access: Access, mode: u32, depth: u32): i32 {
  const s = hart();
  const unused = 64 - (12 + 9 * depth);
  if ((<i64>(va << unused)) >> unused != <i64>va) return pageFault(access);
  let table = (s.satp & ((<u64>1 << 44) - 1)) << 12;
  let global = false;
  for (let level = <i32>depth - 1; level >= 0; level--) {
    const shift = 12 + 9 * <u64>level;
    const at = table + (((va >> shift) & 511) << 3);
    if (!inRam(at, 8) || !pmpAllows(at & ~(<u64>0xfff), Access.LOAD, Mode.S)) return accessFault(access);
    const offset = at - <u64>(<u32>Gpa.RAM);
    if (!bringIn(offset, 8)) return accessFault(access);
    const host = <usize>offset + <usize>Layout.RAM;
    const pte = load<u64>(host);
    if (!(pte & V) || ((pte & W) != 0 && !(pte & R)) || (pte & RESERVED) != 0) return pageFault(access);
    global = global || (pte & G) != 0;
    if (!(pte & (R | X))) {
      if (pte & (A | D | U | PBMT | N)) return pageFault(access);
      table = (pte & PPN) << 2;
      continue;
    }
    const cause = leaf(va, access, mode, pte, host, shift);
    // -2: another hart changed the entry under us; look again.
    if (cause == -2) return walk(va, access, mode, depth);
    if (cause != OK) return cause;
    leafGlobal = global;
    return OK;
  }
  return pageFault(access);
}

function permitted(access: Access, mode: u32, pte: u64): bool {
  const status = hart().mstatus;
  if (mode == <u32>Mode.U) {
    if (!(pte & U)) return false;
  } else if ((pte & U) != 0 && (access == Access.FETCH || !(status & Status.SUM))) return false;
  if (access == Access.FETCH) return (pte & X) != 0;
  if (access == Access.STORE) return (pte & W) != 0;
  return (pte & R) != 0 || ((pte & X) != 0 && (status & Status.MXR) != 0);
}

function leaf(va: u64, access: Access, mode: u32, pte: u64, host: usize, shift: u64): i32 {
  const s = hart();
  if (!permitted(access, mode, pte)) return pageFault(access);
  let ppn = (pte & PPN) >> 10;
  const low = (<u64>1 << (shift - 12)) - 1;
  if (ppn & low) return pageFault(access); // misaligned superpage
  let size = shift;
  if (pte & N) {
    // Svnapot: 64 KiB of contiguous 4 KiB pages.
    if (!hasExtension(Ext.SVNAPOT) || shift != 12 || (ppn & 15) != 8) return pageFault(access);
    ppn &= ~(<u64>15);
    size = 16;
  }
  const pbmt = pte & PBMT;
  if (pbmt != 0 && (!(s.menvcfg & EnvCfg.PBMTE) || pbmt == PBMT)) return pageFault(access);
  const wanted = A | (access == Access.STORE ? D : 0);
  if ((pte & wanted) != wanted) {
    if (quiet || !(s.menvcfg & EnvCfg.ADUE)) return pageFault(access);
    if (!pmpAllows(physicalOf(host), Access.STORE, Mode.S)) return accessFault(access);
    noteWrite(<u64>(host - <usize>Layout.RAM), 8);
    if (atomic.cmpxchg<u64>(host, pte, pte | wanted) != pte) return -2;
  }
  physical = (ppn << 12 & ~((<u64>1 << size) - 1)) | (va & ((<u64>1 << size) - 1));
  leafSize = <u32>size;
  return OK;
}

// @ts-ignore: decorator
@inline
function physicalOf(host: usize): u64 {
  return (<u64>(host - <usize>Layout.RAM) + <u64>(<u32>Gpa.RAM)) & ~(<u64>0xfff);
}
