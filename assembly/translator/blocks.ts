// Writes a region's blocks: their instructions, and how each goes on. Where the graph is
// reducible control flow becomes nested blocks and loops, along the tree of dominators (after
// N. Ramsey, "Beyond Relooper", 2022); where not, a loop around a br_table over all blocks.
import { Machine } from "../abi/layout";
import { Way } from "../abi/translated";
import { findGroups } from "./address";
import { BODY, BODY_SIZE, LABELS } from "./buffers";
import { checkFloat, emitCall, emitCallRegister, emitSystem, setLink, setTarget } from "./calls";
import { emitCsr } from "./csrs";
import { successor } from "./discover";
import { emitInstruction } from "./emit.gen";
import { beginExits, endExits, reportRegion, tooManyExits, writeBack } from "./exits";
import { forgetSingles } from "./float";
import { inOrder, isReducible, orderCount } from "./flow";
import { Block, blockAt, definesOf, End, Insn, insnAt } from "./insn";
import { Kind } from "./kind";
import {
  dirty, interpretHere, jumpTo, jumpToAddress, readRegisters, returnTo, setDirty, setHere, setUndone,
} from "./leave";
import { ADDRESS, LABEL, STEPS } from "./locals";
import { countBlock, countWay, markInstruction } from "./log";
import { findMoved, pushPc } from "./moved";
import { forgetKnown } from "./registers";
import { isSettled } from "./targets";
import { Wasm } from "./wasm";
import {
  access, block, byte, cursor, end, get, i32Const, ifThen, loop, nesting, op1, set, unsigned,
} from "./writer";

const NONE: u32 = ~(<u32>0);
/** What an instruction or the end of a block takes at most. */
const MOST_BYTES: usize = 0x2000;

/** Writes the whole of the function's code. */
export function emitBlocks(): void {
  const entry = blockAt(0);
  beginExits(entry.pc);
  setDirty(0);
  setUndone(0);
  setHere(entry.pc);
  countWay(Way.RUN, entry.pc);
  findMoved(entry.pc);
  checkFloat(entry.pc);
  if (!entry.isLoop) checkBudget(entry);
  readRegisters(entry.live);
  labelCount = 0;
  if (isReducible) tree(0);
  else dispatch();
  byte(Wasm.UNREACHABLE);
  if (!isTooLarge()) endExits();
}

/** Leaves for block `b` if fewer steps are left than its longest path takes. */
function checkBudget(b: Block): void {
  get(STEPS);
  i32Const(b.length);
  byte(Wasm.I32_LT_S);
  ifThen();
  returnTo(b.pc, Way.BUDGET);
  end();
}

/** The body would not fit: what is written is of no use. */
export function isTooLarge(): bool {
  return cursor > BODY + BODY_SIZE - MOST_BYTES || tooManyExits();
}

// --- labels: what a `br` can name, innermost last ---

const enum Label { LOOP = 1, AFTER = 2 }
const LABEL_SIZE: usize = 8;
let labelCount: u32 = 0;

/** Names the block or loop that was just opened. */
function pushLabel(kind: Label, n: u32): void {
  const at = LABELS + <usize>(labelCount++) * LABEL_SIZE;
  store<u16>(at, <u16>kind);
  store<u16>(at, <u16>nesting, 2);
  store<u32>(at, n, 4);
}

/** Closes what was named last. */
function popLabel(): void {
  labelCount--;
  end();
}

function distanceTo(kind: Label, n: u32): u32 {
  for (let i = <i32>labelCount - 1; i >= 0; i--) {
    const at = LABELS + <usize>i * LABEL_SIZE;
    if (<u32>load<u16>(at) == <u32>kind && load<u32>(at, 4) == n) return nesting - load<u16>(at, 2);
  }
  return unreachable();
}

// --- reducible graphs ---

/** A block with everything that it dominates. */
function tree(n: u32): void {
  if (isTooLarge()) return;
  const b = blockAt(n);
  const isLoop = b.isLoop != 0;
  if (isLoop) {
    loop();
    pushLabel(Label.LOOP, n);
    setDirty(b.dirtyIn);
    setUndone(0);
    checkBudget(b);
  }
  // Children that are joins come after the code that leads to them, the last in order first.
  within(n, nextJoin(b.child));
  if (isLoop) popLabel();
}

function nextJoin(n: u32): u32 {
  while (n != NONE && !blockAt(n).isMerge) n = blockAt(n).sibling;
  return n;
}

function within(n: u32, join: u32): void {
  if (isTooLarge()) return;
  if (join == NONE) {
    emitBlock(n);
    return;
  }
  block();
  pushLabel(Label.AFTER, join);
  within(n, nextJoin(blockAt(join).sibling));
  popLabel();
  tree(join);
}

// @ts-ignore: decorator
@inline
function isBranch(from: Block, to: u32): bool {
  const b = blockAt(to);
  return !isReducible || b.order <= from.order || b.isMerge != 0;
}

function distance(from: Block, to: u32): u32 {
  return blockAt(to).order <= from.order ? distanceTo(Label.LOOP, to) : distanceTo(Label.AFTER, to);
}

/** Goes on at block `to`. */
function goTo(from: Block, to: u32): void {
  if (!isReducible) goThroughTable(to);
  else if (isBranch(from, to)) op1(Wasm.BR, distance(from, to));
  else tree(to);
}

/** Goes on at block `to` if the i32 on the stack is not zero. */
function goIf(from: Block, to: u32): void {
  if (isReducible && isBranch(from, to)) {
    op1(Wasm.BR_IF, distance(from, to));
    return;
  }
  ifThen();
  goTo(from, to);
  end();
}

// --- irreducible graphs ---

function dispatch(): void {
  i32Const(0);
  set(LABEL);
  loop();
  table = nesting;
  for (let i: u32 = 0; i < orderCount; i++) block();
  get(LABEL);
  byte(Wasm.BR_TABLE);
  unsigned(orderCount);
  for (let i: u32 = 0; i < orderCount; i++) unsigned(i);
  unsigned(orderCount - 1);
  for (let i: u32 = 0; i < orderCount; i++) {
    end();
    const n = inOrder(i);
    const b = blockAt(n);
    setDirty(b.dirtyIn);
    setUndone(0);
    if (b.isLoop) checkBudget(b);
    emitBlock(n);
  }
  end();
}

/** Nesting of dispatch()'s loop. */
let table: u32 = 0;

function goThroughTable(to: u32): void {
  i32Const(blockAt(to).order);
  set(LABEL);
  op1(Wasm.BR, nesting - table);
}

// --- a block ---

function emitBlock(n: u32): void {
  if (isTooLarge()) return;
  const b = blockAt(n);
  setDirty(b.dirtyIn);
  setUndone(0);
  forgetSingles();
  forgetKnown();
  findGroups(b);
  countBlock(b);
  if (b.count != 0) {
    get(STEPS);
    i32Const(b.count);
    byte(Wasm.I32_SUB);
    set(STEPS);
  }
  // A jump does nothing but go on, and counts; the others' last instruction is written by emitEnd.
  const plain = b.count - (b.end == End.LEAVE || (b.end == End.JUMP && !jumps(b)) ? 0 : 1);
  for (let i: u32 = 0; i < plain; i++) {
    if (isTooLarge()) return;
    const insn = insnAt(b.first + i);
    setHere(insn.pc);
    setUndone(b.count - i);
    markInstruction(insn);
    if (insn.kind == <u32>Kind.CSR) emitCsr(insn);
    else emitInstruction(changetype<usize>(insn));
    setDirty(dirty | definesOf(insn));
  }
  setUndone(0);
  if (plain < b.count) markInstruction(insnAt(b.first + plain));
  emitEnd(b, insnAt(b.first + plain));
}

/** Does it end with a jump, not by running into the next block? */
function jumps(b: Block): bool {
  return insnAt(b.first + b.count - 1).kind == <u32>Kind.JAL;
}

function emitEnd(b: Block, i: Insn): void {
  switch (b.end) {
    case End.JUMP:
      if (jumps(b)) setLink(i);
      goTo(b, successor(b, 0));
      break;
    case End.BRANCH: emitBranch(b, i); break;
    case End.CALL:
      emitCall(b, i);
      goTo(b, successor(b, 0));
      break;
    case End.CALL_REGISTER:
      emitCallRegister(b, i);
      goTo(b, successor(b, 0));
      break;
    case End.SYSTEM:
      emitSystem(b, i);
      goTo(b, successor(b, 0));
      break;
    case End.JUMP_REGISTER: emitJumpRegister(b, i); break;
    case End.RETURN:
      countWay(Way.RETURN, i.pc);
      setTarget(i);
      writeBack(dirty);
      get(ADDRESS);
      get(STEPS);
      byte(Wasm.RETURN);
      break;
    case End.LEAVE: jumpTo(b.pc); break;
    case End.STOP:
      setHere(i.pc);
      setUndone(1);
      interpretHere();
      break;
  }
}

function emitBranch(b: Block, i: Insn): void {
  const taken = successor(b, 0);
  const next = successor(b, 1);
  emitInstruction(changetype<usize>(i));
  if (!isReducible) {
    goIf(b, taken);
    goTo(b, next);
  } else if (isBranch(b, taken)) {
    op1(Wasm.BR_IF, distance(b, taken));
    goTo(b, next);
  } else if (isBranch(b, next)) {
    byte(Wasm.I32_EQZ);
    op1(Wasm.BR_IF, distance(b, next));
    goTo(b, taken);
  } else {
    ifThen();
    goTo(b, taken);
    byte(Wasm.ELSE);
    goTo(b, next);
    end();
    byte(Wasm.UNREACHABLE);
  }
}

function emitJumpRegister(b: Block, i: Insn): void {
  setTarget(i);
  setLink(i);
  const own = dirty;
  for (let n: u32 = 0; n < b.successorCount; n++) {
    const to = successor(b, n);
    get(ADDRESS);
    pushPc(blockAt(to).pc);
    byte(Wasm.I64_EQ);
    goIf(b, to);
    // Blocks written inside the `if` had dirty registers of their own.
    setDirty(own);
    setUndone(0);
  }
  if (isSettled(i.place)) jumpToAddress(i.pc);
  else reportJump(i);
}

/** Leaves for the address in ADDRESS, and says by which jump, so that its target is noted. */
function reportJump(i: Insn): void {
  countWay(Way.JUMP_REGISTER_OUT, i.pc);
  writeBack(dirty);
  i32Const(0);
  i32Const(i.place);
  access(Wasm.I32_STORE, Machine.LAST_JUMP);
  i32Const(0);
  pushPc(i.pc);
  access(Wasm.I64_STORE, Machine.LAST_JUMP_PC);
  reportRegion();
  get(ADDRESS);
  get(STEPS);
  byte(Wasm.RETURN);
}
