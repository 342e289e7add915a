// Software TLBs of a hart. Loads and stores look here first, in line:
//
//   entry  i64 tag     virtual page, or 0x800 if empty: no page, with or without an address's lowest bits
//          u32 addend  host address = u32(virtual address) + addend
//          u32 meta    bit 0 global, bits 8.. log2 of the page size it was cut from
//
// Four banks of 1,024 entries, reads and writes apart: U, S, S with SUM set (Linux
// toggles SUM around every user access), and one for M-mode and for whatever MXR or
// MPRV make of S and U, refilled when that changes. The instruction TLB maps virtual
// pages to predecoded slots. A log of filled entries makes a flush cost what was filled, and a map of the 2 MiB that pieces of
// superpages were cached of, bytes by a hash, keeps the flush of one address from a search for them.
//
// Code pages and devices never get a write (or any) tag: they take the slow way.
import { staleFrom, staleTo, writeTagsGone } from "../memory/backed";
import { SCALE } from "../memory/code-map";
import { Layout, Tlb } from "../abi/layout";
import { forgetBasePages, resetBasePages, useBasePages } from "./base-pages";
import { clearJumps, clearJumpsOn, clearNonGlobalJumps, resetJumps } from "./jumps";
import { endPlain } from "./plain";
import { currentHart, Hart, hart, hartCount, hartOf, Mode } from "./state";
import { MAP_SIZE, maySuperpageHold, noteSuperpage } from "./superpages";
import { Status } from "./bits";

const BANK: u32 = Tlb.BANK;
export const WRITE_HALF: u32 = Tlb.WRITE_HALF;
const INSTRUCTION_BANKS: u32 = 0x2_0000;
const INSTRUCTION_BANK: u32 = 0x1000;
const LOG: u32 = 0x2_3000;
const SUPERPAGE_MAP: u32 = 0x2_7000;
if (SUPERPAGE_MAP + MAP_SIZE > <u32>Layout.TLB_HART_SIZE) ERROR("a hart's TLB does not fit");
export const EMPTY: u64 = 0x800;
const GLOBAL: u32 = 1;

// @ts-ignore: decorator
@inline
function base(h: u32): u32 {
  return <u32>Layout.TLB + h * <u32>Layout.TLB_HART_SIZE;
}

/** The mode that loads and stores run in: MPRV lends M-mode MPP's. */
export function dataMode(s: Hart): u32 {
  if (s.mode == <u32>Mode.M && (s.mstatus & Status.MPRV) != 0) return <u32>(s.mstatus >> 11) & 3;
  return s.mode;
}

/** Points the running hart at the banks of its present mode. Call after mode, SUM, MXR, MPRV or MPP changed. */
export function selectBanks(): void {
  const s = hart();
  const tlb = base(currentHart());
  s.itlb = tlb + INSTRUCTION_BANKS + (s.mode == <u32>Mode.M ? 2 : s.mode) * INSTRUCTION_BANK;
  const mode = dataMode(s);
  const unusual = mode == <u32>Mode.M || s.mode == <u32>Mode.M || (s.mstatus & Status.MXR) != 0;
  if (s.mode == <u32>Mode.M && mode != <u32>Mode.M) endPlain();
  let bank: u32 = 3;
  if (!unusual) bank = mode == <u32>Mode.U ? 0 : (s.mstatus & Status.SUM) != 0 ? 2 : 1;
  else {
    const key = mode | (<u32>((s.mstatus & (Status.MXR | Status.SUM)) >> 16));
    if (key != s.otherBankKey) {
      s.otherBankKey = key;
      clearBank(tlb + 3 * BANK);
      forgetBasePages();
    }
  }
  s.tlb = tlb + bank * BANK;
  useBasePages(s.mode, s.tlb);
}

/**
 * Where the bank for loads and stores of code in `mode` is for good, or 0 if that depends: harts have their own, and S-mode
 * has one for each state of SUM. With MXR set U-mode's is another, too, which allows more: what its own has is good then as well.
 */
export function fixedBank(mode: u32): u32 {
  if (hartCount() != 1 || mode == <u32>Mode.S) return 0;
  return base(0) + (mode == <u32>Mode.U ? 0 : 3 * BANK);
}

function clearBank(bank: u32): void {
  for (let e = bank, end = bank + BANK; e < end; e += 16) store<u64>(e, EMPTY);
}

function clearInstructionTlb(h: u32): void {
  const from = base(h) + INSTRUCTION_BANKS;
  for (let e = from, end = from + 3 * INSTRUCTION_BANK; e < end; e += 16) store<u64>(e, EMPTY);
}

/** Empties everything of hart `h`, as after reset. */
export function resetTlb(h: u32): void {
  for (let bank: u32 = 0; bank < 4; bank++) clearBank(base(h) + bank * BANK);
  clearInstructionTlb(h);
  resetBasePages();
  resetJumps(h);
  const s = hartOf(h);
  s.tlbLogCount = 0;
  forgetSuperpages(s, base(h));
}

/** Caches `page` of virtual memory at host address `host` for loads or stores in the current bank. */
export function fill(va: u64, host: usize, write: bool, global: bool, sizeLog2: u32): void {
  const s = hart();
  const at = s.tlb + (write ? WRITE_HALF : 0) + ((<u32>(va >> 8)) & 0x3ff0);
  const page = va & ~(<u64>0xfff);
  if (load<u64>(at) == EMPTY) {
    const origin = base(currentHart());
    const n = s.tlbLogCount;
    // An entry emptied outside a log walk is still in the log; the log can hold each once only while it has room.
    if (n >= 8192) flushAll();
    store<u16>(origin + LOG + (s.tlbLogCount << 1), <u16>((at - origin) >> 4));
    s.tlbLogCount++;
  }
  if (sizeLog2 > 12) countSuperpage(va, sizeLog2);
  if (write) store<u8>(writeTagAt(host), 1);
  store<u64>(at, page);
  store<u32>(at, <u32>host - <u32>page, 8);
  store<u32>(at, (global ? GLOBAL : 0) | (sizeLog2 << 8), 12);
}

/** sfence.vma with no operands, and whatever changes all translations. */
export function flushAll(): void {
  const s = hart();
  const origin = base(currentHart());
  for (let i: u32 = 0, n = s.tlbLogCount; i < n; i++) {
    store<u64>(origin + (<u32>load<u16>(origin + LOG + (i << 1)) << 4), EMPTY);
  }
  s.tlbLogCount = 0;
  forgetSuperpages(s, origin);
  clearInstructionTlb(currentHart());
  forgetBasePages();
  clearJumps(currentHart());
}

/** A change of address space: global mappings stay. */
export function flushNonGlobal(): void {
  forgetBasePages();
  clearNonGlobalJumps();
  const s = hart();
  const origin = base(currentHart());
  forgetSuperpages(s, origin);
  let kept: u32 = 0;
  for (let i: u32 = 0, n = s.tlbLogCount; i < n; i++) {
    const index = load<u16>(origin + LOG + (i << 1));
    if (!keepGlobal(origin + (<u32>index << 4))) continue;
    store<u16>(origin + LOG + (kept << 1), index);
    kept++;
  }
  s.tlbLogCount = kept;
  const from = origin + INSTRUCTION_BANKS;
  for (let e = from, end = from + 3 * INSTRUCTION_BANK; e < end; e += 16) keepGlobal(e);
}

/** Empties the entry unless it is a global mapping; counts superpage pieces that stay. */
function keepGlobal(at: u32): bool {
  const tag = load<u64>(at);
  if (tag == EMPTY) return false;
  const meta = load<u32>(at, 12);
  if (!(meta & GLOBAL)) {
    store<u64>(at, EMPTY);
    return false;
  }
  if (meta >> 8 > 12) countSuperpage(tag, meta >> 8);
  return true;
}

/** A piece of a superpage is cached. */
function countSuperpage(va: u64, sizeLog2: u32): void {
  hart().gigapageRegions |= noteSuperpage(base(currentHart()) + SUPERPAGE_MAP, va, sizeLog2);
}

function forgetSuperpages(s: Hart, origin: u32): void {
  s.gigapageRegions = 0;
  memory.fill(origin + SUPERPAGE_MAP, 0, MAP_SIZE);
}

/** sfence.vma of one address: its page in every bank, and all pieces of a superpage that holds it. */
export function flushAddress(va: u64): void {
  const s = hart();
  const origin = base(currentHart());
  const page = va & ~(<u64>0xfff);
  const index = (<u32>(va >> 8)) & 0x3ff0;
  for (let half: u32 = 0; half < 8; half++) {
    const at = origin + half * WRITE_HALF + index;
    if (load<u64>(at) == page) store<u64>(at, EMPTY);
  }
  const instruction = (<u32>(va >> 8)) & 0xff0;
  for (let bank: u32 = 0; bank < 3; bank++) {
    const at = origin + INSTRUCTION_BANKS + bank * INSTRUCTION_BANK + instruction;
    if (load<u64>(at) == page) store<u64>(at, EMPTY);
  }
  forgetBasePages();
  clearJumpsOn(va);
  if (maySuperpageHold(origin + SUPERPAGE_MAP, s.gigapageRegions, va)) flushSuperpage(va);
}

function flushSuperpage(va: u64): void {
  const s = hart();
  const origin = base(currentHart());
  for (let i: u32 = 0, n = s.tlbLogCount; i < n; i++) clearIfPiece(origin + (<u32>load<u16>(origin + LOG + (i << 1)) << 4), va);
  const from = origin + INSTRUCTION_BANKS;
  for (let e = from, end = from + 3 * INSTRUCTION_BANK; e < end; e += 16) clearIfPiece(e, va);
}

// @ts-ignore: decorator
@inline
function clearIfPiece(at: u32, va: u64): void {
  const size = <u64>(load<u32>(at, 12) >> 8);
  if (size > 12 && ((load<u64>(at) ^ va) >> size) == 0) store<u64>(at, EMPTY);
}

/** Where Layout.WRITE_TAGS says whether some TLB may let stores into the host page through. */
// @ts-ignore: decorator
@inline
function writeTagAt(host: usize): usize {
  return <usize>Layout.WRITE_TAGS + ((host >> 12) & (<usize>Layout.WRITE_TAGS_END - <usize>Layout.WRITE_TAGS - 1));
}

/** Searches in vain since WRITE_TAGS was last made anew, and how many are allowed. */
let vain: u32 = 0;
const MOST_VAIN: u32 = 64;

/** Takes every hart's fast write tag for the host page away: it now holds predecoded code. */
export function forbidFastWrites(hostPage: usize): void {
  // Pages of code come and go by the thousand where there is much, and hardly any was ever written.
  if (load<u8>(writeTagAt(hostPage)) == 0) return;
  if (forbidWritesBetween(hostPage, hostPage + 4096) || ++vain < MOST_VAIN) return;
  vain = 0;
  findWriteTags();
}

/** WRITE_TAGS as the TLBs are, without what they have lost since. */
function findWriteTags(): void {
  memory.fill(<usize>Layout.WRITE_TAGS, 0, <usize>Layout.WRITE_TAGS_END - <usize>Layout.WRITE_TAGS);
  forgetBasePages(); // they may know pages that the TLBs do not hold any more
  for (let h: u32 = 0; h < hartCount(); h++) {
    const origin = base(h);
    for (let i: u32 = 0, n = hartOf(h).tlbLogCount; i < n; i++) {
      const at = origin + (<u32>load<u16>(origin + LOG + (i << 1)) << 4);
      if (((at - origin) & WRITE_HALF) == 0 || load<u64>(at) == EMPTY) continue;
      store<u8>(writeTagAt(<usize>(load<u32>(at) + load<u32>(at, 8))), 1);
    }
  }
}

/** Takes away the fast write tags of pages that were written back (memory/backed.ts): their next store is to be seen. */
export function settleWrites(): void {
  forbidWritesBetween(staleFrom(), staleTo());
  writeTagsGone();
}

/** Takes every hart's fast write tags for host pages from `from` up to `to` away. Was there one? */
function forbidWritesBetween(from: usize, to: usize): bool {
  let found = false;
  forgetBasePages();
  for (let h: u32 = 0; h < hartCount(); h++) {
    const origin = base(h);
    const n = hartOf(h).tlbLogCount;
    for (let i: u32 = 0; i < n; i++) {
      const at = origin + (<u32>load<u16>(origin + LOG + (i << 1)) << 4);
      if (((at - origin) & WRITE_HALF) == 0) continue;
      const tag = load<u64>(at);
      if (tag == EMPTY || <u32>tag + load<u32>(at, 8) - <u32>from >= <u32>(to - from)) continue;
      store<u64>(at, EMPTY);
      found = true;
    }
  }
  return found;
}

// --- instruction side ---

/** Caches the predecoded slot of the page that holds `va`. */
export function fillInstruction(va: u64, slot: usize, global: bool, sizeLog2: u32): void {
  const s = hart();
  const at = s.itlb + ((<u32>(va >> 8)) & 0xff0);
  if (sizeLog2 > 12) countSuperpage(va, sizeLog2);
  store<u64>(at, va & ~(<u64>0xfff));
  store<u32>(at, <u32>slot, 8);
  store<u32>(at, (global ? GLOBAL : 0) | (sizeLog2 << 8), 12);
}

/** Predecoded entry for `pc`, or 0 if its page is not in the instruction TLB. */
// @ts-ignore: decorator
@inline
export function lookupInstruction(pc: u64): usize {
  const at = hart().itlb + ((<u32>(pc >> 8)) & 0xff0);
  return load<u64>(at) == (pc & ~(<u64>0xfff)) ? <usize>load<u32>(at, 8) + ((<usize>pc & 0xffe) << SCALE) : 0;
}

/** After predecoded slots moved or vanished. */
export function forgetSlots(): void {
  for (let h: u32 = 0; h < hartCount(); h++) clearInstructionTlb(h);
}
