// Calls: of translated code by Wasm's own calls, of any other code and of the engine itself by
// goOn(). Registers are in memory at either, and read anew behind it.
import { BootMode, HartAt, Machine } from "../abi/layout";
import { Way } from "../abi/translated";
import { Hart, hart, Mode } from "../hart/state";
import { Op } from "../isa/op.gen";
import { MAX_DEPTH } from "./buffers";
import { hasArithmetic, hasDynamicRounding, hasFloat, successor } from "./discover";
import { writeBack } from "./exits";
import { Block, blockAt, Insn, lengthOf, registerBit } from "./insn";
import {
  callTranslated, dirty, goOn, HYPERCALL, INTERPRET, pushAddressIsCached, pushCachedFunction, pushIsCached, pushState, readRegisters, returnTo, setDirty,
} from "./leave";
import { ADDRESS, DEPTH, HOST, STEPS } from "./locals";
import { countWay } from "./log";
import { upcomingPlace } from "./modules";
import { pushPc } from "./moved";
import { pushRegister, setRegister } from "./registers";
import { Wasm } from "./wasm";
import { access, byte, end, get, i32Const, i64Const, ifThen, set, unsigned } from "./writer";

/** Leaves for the interpreter at `pc` where floating point may not run as it was translated. */
export function checkFloat(pc: u64): void {
  if (!hasFloat) return;
  pushState(<u32>offsetof<Hart>("floatReady"));
  if (hasArithmetic) {
    // Only 1 will do: floatReady, NX accrued.
    i32Const(0);
    access(Wasm.I32_LOAD, HartAt.FFLAGS);
    byte(Wasm.I32_AND);
    if (hasDynamicRounding) {
      i32Const(0);
      access(Wasm.I32_LOAD, HartAt.FRM);
      byte(Wasm.I32_EQZ);
      byte(Wasm.I32_AND);
    }
    i32Const(1);
    byte(Wasm.I32_AND);
  }
  byte(Wasm.I32_EQZ);
  ifThen();
  returnTo(pc | INTERPRET, Way.FLOAT_STATE);
  end();
}

/** ADDRESS = where a jalr goes. */
export function setTarget(i: Insn): void {
  pushRegister(i.rs1);
  if (i.imm != 0) {
    i64Const(i.imm);
    byte(Wasm.I64_ADD);
  }
  i64Const(-2);
  byte(Wasm.I64_AND);
  set(ADDRESS);
}

/** If it links at all. */
export function setLink(i: Insn): void {
  if (registerBit(i.rd) == 0) return;
  pushPc(i.pc + lengthOf(i));
  setRegister(i.rd);
  setDirty(dirty | registerBit(i.rd));
}

/** A call whose callee is translated is a call in Wasm; else it goes on in the engine. */
export function emitCall(b: Block, i: Insn): void {
  const target = i.pc + <u64>(<i64>i.imm);
  setLink(i);
  writeBack(dirty);
  setDirty(0);
  pushPc(target);
  set(ADDRESS);
  if (target == blockAt(0).pc) {
    // As long as this region is good for its address it is so for that of its own beginning: no need to look.
    pushMayNest();
    beginCall();
    byte(Wasm.CALL);
    unsigned(upcomingPlace());
    orElse();
  } else {
    pushIsCached(target);
    callCached();
  }
  countWay(Way.CALL_OUT, target);
  endCall(b, i);
}

export function emitCallRegister(b: Block, i: Insn): void {
  setTarget(i);
  setLink(i);
  writeBack(dirty);
  setDirty(0);
  pushAddressIsCached();
  callCached();
  countWay(Way.CALL_REGISTER_OUT, i.pc);
  endCall(b, i);
}

/** Pushes whether calls are not too deep for another one. */
function pushMayNest(): void {
  get(DEPTH);
  i32Const(MAX_DEPTH);
  byte(Wasm.I32_LT_S);
}

/** If the i32 on the stack is not zero the function at ADDRESS is called with what this leaves there; else what follows orElse() is done. */
function beginCall(): void {
  ifThen();
  get(STEPS);
  get(DEPTH);
  i32Const(1);
  byte(Wasm.I32_ADD);
  get(ADDRESS);
}

/** It came back; what follows is done if the call could not be made. */
function orElse(): void {
  set(STEPS);
  set(ADDRESS);
  byte(Wasm.ELSE);
}

/** Calls the function whose jump cache entry is at HOST, if the i32 on the stack is not zero; else what follows is done. */
function callCached(): void {
  pushMayNest();
  byte(Wasm.I32_AND);
  beginCall();
  pushCachedFunction();
  callTranslated();
  orElse();
}

/** A call came back, or could not be made: ADDRESS says where to go on. That should be the next instruction. */
function endCall(b: Block, i: Insn): void {
  end();
  pushIsElsewhere(b, i);
  ifThen();
  goOnBehind(b, i);
  end();
  resume(b);
}

/** An instruction for the engine to do, with all registers in memory. */
export function emitSystem(b: Block, i: Insn): void {
  countWay(Way.ENGINE, i.pc);
  writeBack(dirty);
  setDirty(0);
  pushPc(i.pc | INTERPRET);
  set(ADDRESS);
  // It is taken off already, but the engine does so, too.
  get(STEPS);
  i32Const(1);
  byte(Wasm.I32_ADD);
  set(STEPS);
  goOnBehind(b, i, callsHypervisor(i) ? HYPERCALL : 0);
  resume(b);
}

/** An ecall that lands in sbi/dispatch.ts: the engine makes it without a look at the code behind. */
function callsHypervisor(i: Insn): bool {
  return i.op == <u16>Op.ECALL && hart().mode == <u32>Mode.S && load<u32>(<usize>Machine.BOOT) == <u32>BootMode.PARAVIRT;
}

/** The engine goes on at ADDRESS until it comes to the instruction behind `i`; if it does not, the region is left. */
function goOnBehind(b: Block, i: Insn, how: u64 = 0): void {
  goOn((i.pc + lengthOf(i)) | how);
  pushIsElsewhere(b, i);
  ifThen();
  countWay(Way.RETURNED_ELSEWHERE, i.pc);
  get(ADDRESS);
  get(STEPS);
  byte(Wasm.RETURN);
  end();
}

/** Goes on behind a call, with registers as they are in memory. */
function resume(b: Block): void {
  const next = successor(b, 0);
  const to = blockAt(next);
  checkFloat(to.pc);
  readRegisters(to.live);
}

/** Pushes whether ADDRESS is not behind `i`, or too few steps are left to go on there. The engine gives none where all must return. */
function pushIsElsewhere(b: Block, i: Insn): void {
  get(ADDRESS);
  pushPc(i.pc + lengthOf(i));
  byte(Wasm.I64_NE);
  get(STEPS);
  i32Const(max<u32>(blockAt(successor(b, 0)).length, 1));
  byte(Wasm.I32_LT_S);
  byte(Wasm.I32_OR);
}
