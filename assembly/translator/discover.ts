// Finds the instructions of a region and cuts them into basic blocks. From the first
// instruction on it follows what was run before: an instruction that nobody has decoded yet
// is cold, and left out. Pages are joined while they are mapped and hold decoded code.
import { Ext } from "../abi/ext";
import { Machine } from "../abi/layout";
import { codePageAt } from "../code/predecode";
import { MAX_PAGES, nextRegionAt } from "../code/regions";
import { hart } from "../hart/state";
import { decode } from "../isa/decode.gen";
import { Decoded } from "../isa/entry";
import { Op } from "../isa/op.gen";
import { markCode, REGIONS_ONLY, SCALE, slotAddress, slotOf } from "../memory/code-map";
import { hostOfIndex } from "../memory/physical";
import { BY_ADDRESS, INSN_SIZE, MAX_INSNS, PAGES, SUCCESSORS, WORK } from "./buffers";
import { isPlainCsr, readsFloatCsr } from "./csrs";
import { kindOf, rounds } from "./emit.gen";
import { Block, blockAt, End, Insn, insnAt, lengthOf, placeOf, registerBit } from "./insn";
import { Kind } from "./kind";
import { observedCount, observedDistance, seenJump } from "./targets";

const LEADER: u16 = 0xffff;
const RA_T0: u64 = (1 << 1) | (1 << 5);

export let insnCount: u32 = 0;
export let blockCount: u32 = 0;
export let pageCount: u32 = 0;
let edgeCount: u32 = 0;
let workCount: u32 = 0;
/** It has floating-point instructions; some of them compute. */
export let hasFloat: bool = false;
export let hasArithmetic: bool = false;
/** It has arithmetic that was left to the interpreter because NX has not accrued. */
export let hasSlowFloat: bool = false;
/** Some round as frm says. */
export let hasDynamicRounding: bool = false;
/** Floating point runs on Wasm's own operations. */
let fast: bool = false;
let most: u32 = MAX_INSNS;
/** There is more than a region can hold: it ends where others begin, and at jumps through registers, as an interpreter's are. */
let sparing: bool = false;
/** No more pages are joined. */
let complete: bool = false;

// --- pages: u64 virtual address, u32 index in the code map, u32 slot, u32 host address, u32 used ---

// @ts-ignore: decorator
@inline
function pageSlot(k: u32): usize {
  return PAGES + <usize>k * 32;
}
export function pageAddress(k: u32): u64 {
  return load<u64>(pageSlot(k));
}
export function pageIndexOf(k: u32): u32 {
  return load<u32>(pageSlot(k), 8);
}
/** Does an instruction lie on it? */
export function pageUsed(k: u32): bool {
  return load<u32>(pageSlot(k), 20) != 0;
}

function addPage(va: u64, index: u32, slot: usize): u32 {
  const at = pageSlot(pageCount);
  store<u64>(at, va);
  store<u32>(at, index, 8);
  store<u32>(at, <u32>slot, 12);
  store<u32>(at, <u32>hostOfIndex(index), 16);
  store<u32>(at, 0, 20);
  memory.fill(BY_ADDRESS + <usize>pageCount * 2048 * 4, 0, 2048 * 4);
  return pageCount++;
}

/** Number of the page that holds `pc`, or -1 if it cannot be part of the region. */
function pageOf(pc: u64): i32 {
  const va = pc & ~(<u64>0xfff);
  for (let k: u32 = 0; k < pageCount; k++) if (pageAddress(k) == va) return k;
  if (pageCount == MAX_PAGES || complete) return -1;
  const index = codePageAt(va, hart().mode);
  if (index < 0) return -1;
  const slot = slotOf(index);
  if (slot == 0 || slot == REGIONS_ONLY) return -1;
  return addPage(va, index, slotAddress(slot));
}

// @ts-ignore: decorator
@inline
function place(k: u32, pc: u64): usize {
  return BY_ADDRESS + (((<usize>k << 11) + (<usize>(pc & 0xfff) >> 1)) << 2);
}

/** Decoded entry for `pc` on page `k`. */
// @ts-ignore: decorator
@inline
function entryAt(k: u32, pc: u64): usize {
  return <usize>load<u32>(pageSlot(k), 12) + ((<usize>pc & 0xfff) << SCALE);
}

// --- instructions ---

/** Decodes the instruction at `pc` into the next place; false if it is cold or out of reach. */
function include(k: u32, pc: u64): bool {
  const at = pageSlot(k);
  const offset = <usize>(pc & 0xfff);
  if (load<u16>(entryAt(k, pc)) == <u16>Op.UNDECODED) return false;
  const host = <usize>load<u32>(at, 16) + offset;
  let word = <u32>load<u16>(host);
  if ((word & 3) == 3) {
    if (offset < 4094) word = load<u32>(host);
    else {
      const next = pageOf(pc + 2);
      if (next < 0) return false;
      word |= <u32>load<u16>(<usize>load<u32>(pageSlot(next), 16)) << 16;
      markCode(<usize>load<u32>(pageSlot(next), 12), 0);
      store<u32>(pageSlot(next), 1, 20);
    }
  }
  store<u32>(at, 1, 20);
  const i = insnAt(insnCount);
  memory.fill(changetype<usize>(i), 0, INSN_SIZE);
  decode(word, changetype<Decoded>(i), load<u64>(<usize>Machine.CPU_EXTENSIONS));
  i.pc = pc;
  i.place = placeOf(load<u32>(at, 8), pc);
  i.index = insnCount;
  i.kind = kindFor(i);
  insnCount++;
  store<u16>(place(k, pc), <u16>insnCount);
  return true;
}

/** Its kind: SYSTEM for what the engine does, STOP for what it does without coming back, or that is better left to the interpreter. */
function kindFor(i: Insn): u32 {
  const op = <u32>i.op;
  switch (op) {
    case Op.ILLEGAL: case Op.EBREAK: case Op.MRET: case Op.SRET: case Op.WFI: return Kind.STOP;
  }
  if (isPlainCsr(i)) {
    if (readsFloatCsr(i)) hasFloat = true;
    return Kind.CSR;
  }
  const kind = kindOf(op);
  if (!((load<u64>(<usize>Machine.CPU_EXTENSIONS) >> Ext.C) & 1)) {
    // Without C a jump must look at its target's alignment.
    if (kind == Kind.JALR) return Kind.STOP;
    if ((kind == Kind.JAL || kind == Kind.BRANCH) && (i.imm & 2) != 0) return Kind.STOP;
  }
  if (kind == Kind.FLOAT) {
    if (rounds(op)) {
      if (!fast) hasSlowFloat = true;
      if (!fast || i.rm == 5 || i.rm == 6) return Kind.STOP;
      if (i.rm == 7) hasDynamicRounding = true;
      if (!roundsAsWasm(op, i.rm)) return Kind.STOP;
      hasArithmetic = true;
    } else if (op == <u32>Op.FCLASS_S || op == <u32>Op.FCLASS_D) return Kind.STOP;
  }
  if (kind == Kind.FLOAT || kind == Kind.FLOAT_MEMORY) hasFloat = true;
  return kind;
}

/** Wasm rounds to nearest; conversions to integers truncate too. */
function roundsAsWasm(op: u32, rm: u8): bool {
  if (rm == 0 || rm == 7) return true;
  return rm == 1 && ((op >= <u32>Op.FCVT_W_S && op <= <u32>Op.FCVT_LU_S) || (op >= <u32>Op.FCVT_W_D && op <= <u32>Op.FCVT_LU_D));
}

function push(pc: u64): void {
  const k = pageOf(pc);
  if (k < 0) return;
  store<u16>(place(k, pc), LEADER, 2);
  store<u64>(WORK + (<usize>(workCount++) << 3), pc);
}

/** Is there a region for the code at `pc` already? */
function isHead(k: u32, pc: u64): bool {
  return nextRegionAt(0, pc, hart().mode, pageIndexOf(k)) != 0;
}

/** Follows straight-line code from `pc` until it ends or meets what is known. */
function trace(pc: u64): void {
  while (insnCount < most) {
    const k = pageOf(pc);
    if (k < 0 || load<u16>(place(k, pc)) != 0 || (sparing && insnCount != 0 && isHead(k, pc)) || !include(k, pc)) return;
    const i = insnAt(insnCount - 1);
    const next = pc + lengthOf(i);
    switch (i.kind) {
      case Kind.BRANCH:
        push(pc + <u64>(<i64>i.imm));
        push(next);
        break;
      case Kind.JAL:
        push(isCall(i) ? next : pc + <u64>(<i64>i.imm));
        return;
      case Kind.JALR:
        if (isCall(i)) push(next);
        else if (!isReturn(i) && !sparing) {
          const site = seenJump(i.place);
          for (let n: u32 = 0, count = observedCount(site); n < count; n++) push(pc + observedDistance(site, n));
        }
        return;
      case Kind.SYSTEM:
        push(next);
        return;
      case Kind.STOP:
        return;
    }
    pc = next;
  }
}

/** A jump that links to ra or t0: the hint for a call (Unprivileged Architecture 2.5.1). With another register it is a tail call's, as in a PLT. */
// @ts-ignore: decorator
@inline
function isCall(i: Insn): bool {
  return (registerBit(i.rd) & RA_T0) != 0;
}

/** jalr x0 through ra or t0: the hint for a return. */
export function isReturn(i: Insn): bool {
  return registerBit(i.rd) == 0 && (registerBit(i.rs1) & RA_T0) != 0;
}

/**
 * Finds the region that begins at `pc`, whose decoded page is `slot`: up to `limit` instructions, and none where other regions
 * begin if it is `spare`. False if there would have been more.
 */
export function discover(pc: u64, index: u32, slot: usize, limit: u32, fastFloat: bool, spare: bool): bool {
  insnCount = 0;
  blockCount = 0;
  pageCount = 0;
  edgeCount = 0;
  workCount = 0;
  hasFloat = false;
  hasArithmetic = false;
  hasSlowFloat = false;
  hasDynamicRounding = false;
  fast = fastFloat;
  most = limit;
  sparing = spare;
  complete = false;
  addPage(pc & ~(<u64>0xfff), index, slot);
  push(pc);
  for (let done: u32 = 0; done < workCount; done++) trace(load<u64>(WORK + ((<usize>done) << 3)));
  complete = true;
  cut();
  return insnCount < most;
}

// --- blocks ---

/** Number of the block at `pc`: one that leaves, where the region has no instruction. */
function blockFor(pc: u64): u32 {
  const k = pageOf(pc);
  if (k >= 0) {
    const known = load<u16>(place(k, pc), 2);
    if (known != 0 && known != LEADER) return <u32>known - 1;
  }
  const n = newBlock(pc);
  if (k >= 0) store<u16>(place(k, pc), <u16>(n + 1), 2);
  return n;
}

function newBlock(pc: u64): u32 {
  const b = blockAt(blockCount);
  memory.fill(changetype<usize>(b), 0, offsetof<Block>());
  b.pc = pc;
  b.end = End.LEAVE;
  b.order = ~(<u32>0);
  b.dominator = ~(<u32>0);
  return blockCount++;
}

function edge(b: Block, pc: u64): void {
  const to = blockFor(pc);
  store<u16>(SUCCESSORS + (<usize>(edgeCount++) << 1), <u16>to);
  b.successorCount++;
}

export function successor(b: Block, n: u32): u32 {
  return load<u16>(SUCCESSORS + ((<usize>(b.successors + n)) << 1));
}

/** Makes successor `n` of `b` a block that leaves for its address: there must be room for one (MAX_BLOCKS). */
export function leaveInstead(b: Block, n: u32): void {
  const pc = blockAt(successor(b, n)).pc;
  store<u16>(SUCCESSORS + ((<usize>(b.successors + n)) << 1), <u16>blockCount);
  newBlock(pc);
}

/** Decoded entry that block `b`, one with instructions, begins at. */
export function entryOf(b: Block): usize {
  return entryAt(pageOf(b.pc), b.pc);
}

function instructionAt(pc: u64): i32 {
  const k = pageOf(pc);
  return k < 0 ? -1 : <i32>load<u16>(place(k, pc)) - 1;
}

/** Makes blocks of everything reached from the first instruction. */
function cut(): void {
  if (insnCount == 0) return;
  blockFor(insnAt(0).pc);
  // New blocks are appended while this goes on.
  for (let n: u32 = 0; n < blockCount; n++) fillBlock(blockAt(n));
}

function fillBlock(b: Block): void {
  b.successors = edgeCount;
  let index = instructionAt(b.pc);
  if (index < 0) return; // leaves
  b.first = index;
  let pc = b.pc;
  while (true) {
    const i = insnAt(index);
    // The instructions of a block lie one after the other, as they were traced.
    b.count++;
    const next = pc + lengthOf(i);
    switch (i.kind) {
      case Kind.BRANCH:
        b.end = End.BRANCH;
        edge(b, pc + <u64>(<i64>i.imm));
        edge(b, next);
        return;
      case Kind.JAL:
        b.end = isCall(i) ? End.CALL : End.JUMP;
        edge(b, isCall(i) ? next : pc + <u64>(<i64>i.imm));
        return;
      case Kind.JALR:
        endRegisterJump(b, i, next);
        return;
      case Kind.SYSTEM:
        b.end = End.SYSTEM;
        edge(b, next);
        return;
      case Kind.STOP:
        b.end = End.STOP;
        return;
    }
    pc = next;
    const following = instructionAt(pc);
    const k = pageOf(pc);
    const leads = k < 0 || load<u16>(place(k, pc), 2) != 0;
    if (leads || following != index + 1) {
      b.end = End.JUMP;
      edge(b, pc);
      return;
    }
    index = following;
  }
}

function endRegisterJump(b: Block, i: Insn, next: u64): void {
  if (isCall(i)) {
    b.end = End.CALL_REGISTER;
    edge(b, next);
  } else if (isReturn(i)) b.end = End.RETURN;
  else {
    b.end = End.JUMP_REGISTER;
    const site = seenJump(i.place);
    // Targets outside the region are looked up like any other: they need no block.
    for (let n: u32 = 0, count = observedCount(site); n < count; n++) {
      const to = i.pc + observedDistance(site, n);
      if (instructionAt(to) >= 0) edge(b, to);
    }
  }
}
