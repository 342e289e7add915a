// From guest virtual addresses to host addresses: pushes the host address of an access, and
// gives the offset that the access adds to it.
//
// Accesses of a block through one base register that lie near each other are a group: the
// first looks whether all of it is on one page, and the others need no look of their own.
// Most look in the TLB, as the interpreter does. In loops the page that a base register pointed
// to last, and what to add on it, are remembered (hart/base-pages.ts), and checks compare with that first: less to
// do, but far more to write. Loads of M-mode that reach memory as it is need a comparison alone. An access that was seen to change pages all the time (sites.ts) has no use of it. What
// the TLB does not know, or a group that crosses into another page, is the interpreter's.
import { BasePage, Gpa, Layout } from "../abi/layout";
import { basePage, basePagesWritten } from "../hart/base-pages";
import { Hart, hart } from "../hart/state";
import { fixedBank, WRITE_HALF } from "../hart/tlb";
import { Decoded } from "../isa/entry";
import { Op } from "../isa/op.gen";
import { rangesFrom } from "../memory/backed";
import { ramSize } from "../memory/ram";
import { longestPath } from "./flow";
import { Block, definesOf, Insn, insnAt, registerBit } from "./insn";
import { Kind } from "./kind";
import { interpretHere, pushState } from "./leave";
import { ADDRESS, HOST, Key, localFor, STEPS } from "./locals";
import { pushRegister, registerNumber } from "./registers";
import { CHANGE, CHANGES, changesPages, isAlone, LAST_CHANGE, SiteReport, siteOf, SOON } from "./sites";
import { Wasm } from "./wasm";
import { access, block, byte, end, get, i32Const, i64Const, ifThen, op1, set, tee } from "./writer";

/** Bytes that a group may span. */
const WIDEST: i32 = 1024;

/** Bytes of a plain load or store. */
function sizeOf(op: u32): i32 {
  switch (op) {
    case Op.LB: case Op.LBU: case Op.SB: return 1;
    case Op.LH: case Op.LHU: case Op.SH: return 2;
    case Op.LW: case Op.LWU: case Op.SW: case Op.FLW: case Op.FSW: return 4;
  }
  return 8;
}

// @ts-ignore: decorator
@inline
function isPlain(i: Insn): bool {
  return i.kind == <u32>Kind.MEMORY || i.kind == <u32>Kind.FLOAT_MEMORY;
}

/** A load defines a register, a store does not: not even the sink. */
// @ts-ignore: decorator
@inline
function isStore(i: Insn): bool {
  return i.rd == 0;
}

/** Do the region's loads reach memory as it is (hart/plain.ts)? Stores never do: there may be code on their page. */
export let plainLoads: bool = false;
export function setPlainLoads(value: bool): void {
  plainLoads = value;
}

/** Is the code that is being written part of a loop? */
let inLoop: bool = false;

/** Gathers the block's groups, before its code is written. */
export function findGroups(b: Block): void {
  inLoop = b.loop != 0;
  for (let n: u32 = 0; n < b.count; n++) insnAt(b.first + n).leader = 0;
  for (let n: u32 = 0; n < b.count; n++) {
    const i = insnAt(b.first + n);
    if (isPlain(i) && i.leader == 0) gather(b, n, i);
  }
}

/** Makes `i`, the block's `n`th, the leader of what follows through the same register. */
function gather(b: Block, n: u32, i: Insn): void {
  i.leader = i.index + 1;
  i.low = i.imm;
  i.high = i.imm + sizeOf(i.op);
  i.writes = u32(isStore(i));
  const base = registerBit(i.rs1);
  if (base == 0 || isAlone(i.place)) return;
  let last = i;
  for (let m = n + 1; m < b.count && (definesOf(last) & base) == 0; m++) {
    last = insnAt(b.first + m);
    if (!isPlain(last) || last.rs1 != i.rs1 || last.leader != 0) continue;
    if (plainLoads && isStore(last) != isStore(i)) continue;
    const low = min(i.low, last.imm);
    const high = max(i.high, last.imm + sizeOf(last.op));
    if (high - low > WIDEST) continue;
    i.low = low;
    i.high = high;
    if (isStore(last)) i.writes = 1;
    last.leader = i.index + 1;
  }
}

/** For a plain load or store. */
export function pushPlainAddress(i: Insn): u32 {
  const leader = insnAt(i.leader - 1);
  // What a member needs of its leader: the local with the host address of the group's first byte.
  const group = Key.GROUP + leader.index;
  const from = plainLoads && !isStore(i) ? <u32>Layout.RAM : 0;
  if (leader != i) {
    get(localFor(group));
    return from + i.imm - leader.low;
  }
  const span = i.high - i.low;
  if (from != 0) {
    pushPlainLoad(i, span);
    tee(localFor(group));
    return from + i.imm - i.low;
  }
  pushRegister(i.rs1);
  if (i.low != 0) {
    i64Const(i.low);
    byte(Wasm.I64_ADD);
  }
  check(i, span, i.writes != 0, span != sizeOf(i.op));
  tee(localFor(group));
  return i.imm - i.low;
}

/** Pushes where in memory `span` bytes are, if they are there at all. */
function pushPlainLoad(i: Insn, span: u32): void {
  pushRegister(i.rs1);
  i64Const(<i64>i.low - <i64>(<u32>Gpa.RAM));
  byte(Wasm.I64_ADD);
  tee(ADDRESS);
  i64Const(<i64>(min(ramSize(), rangesFrom()) - span));
  byte(Wasm.I64_GT_U);
  ifThen();
  interpretHere();
  end();
  get(ADDRESS);
  byte(Wasm.I32_WRAP_I64);
}

/** Atomics take aligned addresses alone: others trap, which is the interpreter's. */
export function pushAtomicAddress(i: Insn, size: u32, write: bool): void {
  pushRegister(i.rs1);
  check(i, size, write, false);
}

/** The address of `size` bytes is on the stack: leaves their host address there. */
function check(i: Insn, size: u32, write: bool, isGroup: bool): void {
  if (!inLoop || changesPages(i.place)) {
    set(ADDRESS);
    lookUp(i, size, write, isGroup);
    get(ADDRESS);
    byte(Wasm.I32_WRAP_I64);
    get(HOST);
    access(Wasm.I32_LOAD, entryOffset(write) + 8);
    byte(Wasm.I32_ADD);
    return;
  }
  const page = basePage(hart().mode, registerNumber(i.rs1), write);
  set(ADDRESS);
  if (isGroup) beginUnlessWithin(page, size);
  else beginUnlessAligned(page, size);
  countChange(i.place);
  lookUp(i, size, write, isGroup);
  keepPage(page, write);
  end();
  get(ADDRESS);
  byte(Wasm.I32_WRAP_I64);
  i32Const(0);
  access(Wasm.I32_LOAD, page + <u32>BasePage.ADDEND);
  byte(Wasm.I32_ADD);
}

/** What follows is done unless all `size` bytes at ADDRESS lie on the page. Two branches take the host less code than an `or`. */
function beginUnlessWithin(page: u32, size: u32): void {
  block();
  block();
  get(ADDRESS);
  i64Const(-4096);
  byte(Wasm.I64_AND);
  pushPage(page);
  byte(Wasm.I64_NE);
  op1(Wasm.BR_IF, 0);
  get(ADDRESS);
  byte(Wasm.I32_WRAP_I64);
  i32Const(4095);
  byte(Wasm.I32_AND);
  i32Const(4096 - size);
  byte(Wasm.I32_LE_U);
  op1(Wasm.BR_IF, 1);
  end();
}

/** The same for an address that is aligned, too: the bits of ~(4096 - size) below a page's are zero then. */
function beginUnlessAligned(page: u32, size: u32): void {
  get(ADDRESS);
  i64Const(~<i64>(4096 - size));
  byte(Wasm.I64_AND);
  pushPage(page);
  byte(Wasm.I64_NE);
  ifThen();
}

function pushPage(page: u32): void {
  i32Const(0);
  access(Wasm.I64_LOAD, page);
}

/** Pushes the page of the last of `size` bytes at ADDRESS. */
function pushLast(size: u32): void {
  get(ADDRESS);
  if (size > 1) {
    i64Const(size - 1);
    byte(Wasm.I64_ADD);
  }
  i64Const(-4096);
  byte(Wasm.I64_AND);
}

/** Counts that the page changed soon after the last time; once too often, and the region is left, to be translated anew. */
function countChange(place: u32): void {
  const site = <u32>siteOf(place);
  i32Const(0);
  access(Wasm.I32_LOAD, site + LAST_CHANGE);
  get(STEPS);
  byte(Wasm.I32_SUB);
  i32Const(SOON * longestPath);
  byte(Wasm.I32_LT_U);
  ifThen();
  i32Const(0);
  i32Const(0);
  access(Wasm.I32_LOAD16_U, site);
  i32Const(CHANGE);
  byte(Wasm.I32_ADD);
  tee(HOST);
  access(Wasm.I32_STORE16, site);
  get(HOST);
  i32Const(CHANGES);
  byte(Wasm.I32_AND);
  byte(Wasm.I32_EQZ);
  ifThen();
  interpretHere(SiteReport.CHANGES_PAGES);
  end();
  end();
  i32Const(0);
  get(STEPS);
  access(Wasm.I32_STORE, site + LAST_CHANGE);
}

/**
 * HOST = the TLB's entry for ADDRESS, less entryOffset(); what it does not hold is the interpreter's. A single access is taken for an aligned
 * one, whose look is shorter, until it was seen otherwise.
 */
function lookUp(i: Insn, size: u32, write: bool, isGroup: bool): void {
  const aligned = i.kind == <u32>Kind.ATOMIC || (!isGroup && !isAlone(i.place));
  get(ADDRESS);
  byte(Wasm.I32_WRAP_I64);
  i32Const(8);
  byte(Wasm.I32_SHR_U);
  i32Const(0x3ff0);
  byte(Wasm.I32_AND);
  if (fixedBank(hart().mode) == 0) {
    pushState(offsetof<Hart>("tlb"));
    byte(Wasm.I32_ADD);
  }
  tee(HOST);
  access(Wasm.I64_LOAD, entryOffset(write));
  if (aligned) {
    get(ADDRESS);
    i64Const(~<i64>(4096 - size));
    byte(Wasm.I64_AND);
  } else pushLast(size);
  byte(Wasm.I64_NE);
  ifThen();
  interpretHere(reportOf(i, size, isGroup, aligned));
  end();
}

/** What lies between HOST and the TLB's entry. */
function entryOffset(write: bool): u32 {
  return fixedBank(hart().mode) + (write ? WRITE_HALF : 0);
}

/** What to say of an access that the TLB's entry is not for. */
function reportOf(i: Insn, size: u32, isGroup: bool, aligned: bool): SiteReport {
  if (isGroup) return SiteReport.GROUP_MISSED;
  return aligned && size > 1 && i.kind != <u32>Kind.ATOMIC ? SiteReport.ALIGNED_MISSED : SiteReport.NONE;
}

/** Remembers the page that HOST is of. */
function keepPage(page: u32, write: bool): void {
  i32Const(0);
  get(HOST);
  access(Wasm.I64_LOAD, entryOffset(write));
  access(Wasm.I64_STORE, page);
  i32Const(0);
  get(HOST);
  access(Wasm.I32_LOAD, entryOffset(write) + 8);
  access(Wasm.I32_STORE, page + <u32>BasePage.ADDEND);
  i32Const(0);
  i32Const(1);
  access(Wasm.I32_STORE, basePagesWritten(hart().mode));
}

/** Is the address that the plain access `d` is about to use no multiple of its size? */
export function isMisaligned(d: Decoded): bool {
  const address = load<u64>(<usize>d.rs1) + <u64>(<i64>d.imm);
  return (address & <u64>(sizeOf(d.op) - 1)) != 0;
}
