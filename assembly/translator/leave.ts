// How translated code ends: registers written back, and the address to go on at with the
// steps left. Bit 0 of the address says that the interpreter must do the instruction there.
import { HartAt, Machine } from "../abi/layout";
import { Element, Way } from "../abi/translated";
import { canMove } from "../code/regions";
import { hart, Hart } from "../hart/state";
import { fixedJumps, INDEX_FOLD, INDEX_MASK, INDEX_SHIFT, jumpOffset, jumpTag } from "../hart/jumps";
import { exitTo, isNear, reportRegion, writeBack } from "./exits";
import { countWay } from "./log";
import { ADDRESS, DEPTH, HOST, localFor, STEPS } from "./locals";
import { pushPc } from "./moved";
import { SiteReport } from "./sites";
import { Wasm } from "./wasm";
import { access, byte, end, get, i32Const, i64Const, ifThen, set, tee, unsigned } from "./writer";

/** For an instruction of the interpreter's. */
export const INTERPRET: u64 = 1;
/** Of the address that goOn() is to come back to: the instruction is a call to the hypervisor. */
export const HYPERCALL: u64 = 1;

/** Types of translated functions, and of what they call through their table. */
export const enum FunctionType { TRANSLATED = 0, GO_ON = 1, CALL = 2 }

/** Calls what is on the stack behind its arguments: the way to other translated functions. */
export function callTranslated(opcode: Wasm = Wasm.CALL_INDIRECT): void {
  throughTable(opcode, Element.CALL, FunctionType.CALL);
}

function throughTable(opcode: Wasm, element: u32, type: FunctionType): void {
  i32Const(element);
  byte(opcode);
  unsigned(type);
  byte(0); // the only table
}

/** Registers that are not as the hart's block has them, where code is being emitted. */
export let dirty: u64 = 0;
export function setDirty(registers: u64): void {
  dirty = registers;
}

/** Steps of the block under way that are not done yet, but are taken off STEPS already. */
export let undone: u32 = 0;
export function setUndone(steps: u32): void {
  undone = steps;
}

/** The instruction under way. */
export let here: u64 = 0;
export function setHere(pc: u64): void {
  here = pc;
}

/** Can tail calls be used? */
export let hasTailCalls: bool = false;
export function setTailCalls(value: bool): void {
  hasTailCalls = value;
}

export function readRegisters(registers: u64): void {
  while (registers != 0) {
    const n = <u32>ctz<u64>(registers);
    registers &= registers - 1;
    i32Const(0);
    if (n < 32) access(Wasm.I64_LOAD, <u32>HartAt.X + n * 8);
    else access(Wasm.F64_LOAD, <u32>HartAt.F + (n - 32) * 8);
    set(localFor(n));
  }
}

/** Pushes a word of the hart's state. */
export function pushState(offset: u32): void {
  i32Const(0);
  access(Wasm.I32_LOAD, <u32>HartAt.STATE + offset);
}

/** Returns the address on the stack. */
function returnSteps(): void {
  get(STEPS);
  if (undone != 0) {
    i32Const(undone);
    byte(Wasm.I32_ADD);
  }
  byte(Wasm.RETURN);
}

/** Leaves for `pc` without looking for translated code there. */
export function returnTo(pc: u64, way: Way, report: SiteReport = SiteReport.NONE): void {
  countWay(way, pc & ~INTERPRET);
  if (isNear(pc)) {
    exitTo(pc, undone, dirty, report);
    return;
  }
  if (report != SiteReport.NONE) reportSite(report);
  writeBack(dirty);
  pushPc(pc);
  returnSteps();
}

function reportSite(what: SiteReport): void {
  i32Const(0);
  i32Const(what);
  access(Wasm.I32_STORE, Machine.SITE_REPORT);
  reportRegion();
}

/** Leaves the instruction under way to the interpreter. */
export function interpretHere(report: SiteReport = SiteReport.NONE): void {
  returnTo(here | INTERPRET, Way.INTERPRET, report);
}

/** The same if the i32 on the stack is not zero. */
export function interpretIf(): void {
  ifThen();
  interpretHere();
  end();
}

/** ADDRESS, STEPS = goOn(ADDRESS, STEPS, DEPTH, back): a call goes on in the engine until it comes to `back`. */
export function goOn(back: u64): void {
  get(ADDRESS);
  get(STEPS);
  get(DEPTH);
  pushPc(back);
  throughTable(Wasm.CALL_INDIRECT, Element.GO_ON, FunctionType.GO_ON);
  set(ADDRESS);
  i32Const(0);
  access(Wasm.I32_LOAD, Machine.STEPS);
  set(STEPS);
}

/** Pushes whether there is translated code at `pc`, which is in ADDRESS: then HOST is its entry in the jump cache, less fixedJumps(). */
export function pushIsCached(pc: u64): void {
  const mode = hart().mode;
  if (canMove(mode)) {
    pushAddressIsCached();
    return;
  }
  i32Const(jumpOffset(pc));
  pushJumps();
  tee(HOST);
  access(Wasm.I64_LOAD, fixedJumps());
  i64Const(<i64>jumpTag(pc, mode));
  byte(Wasm.I64_EQ);
}

/** Leaves for `pc`, at once if it is translated. */
export function jumpTo(pc: u64): void {
  writeBack(dirty);
  pushPc(pc);
  set(ADDRESS);
  if (hasTailCalls) {
    pushIsCached(pc);
    tailCall(pc, Way.JUMP);
  }
  countWay(Way.JUMP_OUT, pc);
  get(ADDRESS);
  returnSteps();
}

/** Leaves for the address in ADDRESS, at once if it is translated, by the jump at `pc`. */
export function jumpToAddress(pc: u64): void {
  writeBack(dirty);
  if (hasTailCalls) {
    pushAddressIsCached();
    tailCall(pc, Way.JUMP_REGISTER);
  }
  countWay(Way.JUMP_REGISTER_OUT, pc);
  get(ADDRESS);
  returnSteps();
}

/** The same for whatever address is in ADDRESS. */
export function pushAddressIsCached(): void {
  get(ADDRESS);
  byte(Wasm.I32_WRAP_I64);
  tee(HOST);
  i32Const(INDEX_SHIFT);
  byte(Wasm.I32_SHL);
  get(HOST);
  i32Const(INDEX_FOLD);
  byte(Wasm.I32_SHR_U);
  byte(Wasm.I32_XOR);
  i32Const(INDEX_MASK);
  byte(Wasm.I32_AND);
  pushJumps();
  tee(HOST);
  access(Wasm.I64_LOAD, fixedJumps());
  get(ADDRESS);
  i64Const(1);
  byte(Wasm.I64_ADD);
  const mode = hart().mode;
  if (mode != 0) {
    i64Const((<i64>mode) << 60);
    byte(Wasm.I64_XOR);
  }
  byte(Wasm.I64_EQ);
}

/** Adds where the jump cache is, unless that is known by now. */
function pushJumps(): void {
  if (fixedJumps() != 0) return;
  pushState(offsetof<Hart>("jumps"));
  byte(Wasm.I32_ADD);
}

/** Pushes the function of the jump cache's entry at HOST. */
export function pushCachedFunction(): void {
  get(HOST);
  access(Wasm.I32_LOAD, fixedJumps() + 8);
}

/** If the i32 on the stack is not zero, goes on at ADDRESS, in the function whose entry is at HOST. */
function tailCall(pc: u64, way: Way): void {
  ifThen();
  countWay(way, pc);
  get(STEPS);
  if (undone != 0) {
    i32Const(undone);
    byte(Wasm.I32_ADD);
  }
  get(DEPTH);
  get(ADDRESS);
  pushCachedFunction();
  callTranslated(Wasm.RETURN_CALL_INDIRECT);
  end();
}
