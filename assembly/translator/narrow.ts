// Integer arithmetic in 32 bits, where that is all there is to it: what W instructions do, and bitwise operations on what they
// left. The host's compiler extends a value then only where somebody looks at all of it.
import { HartAt } from "../abi/layout";
import { Insn } from "./insn";
import { Known, pushRegister } from "./registers";
import { Wasm } from "./wasm";
import { byte, cursor, i32Const, moveTo } from "./writer";

/** Where the code of the operands of the instruction under way begins, and whether the second is its immediate. */
let operands: usize = 0;
let hasImmediate: bool = false;

/** The first operand is written next. */
export function beginOperands(): void {
  operands = cursor;
  hasImmediate = false;
}

/** The second is not rs2. */
export function secondIsImmediate(): void {
  hasImmediate = true;
}

/** Writes the operation in 32 bits in place of its operands' code. */
export function inWords(i: Insn, code: Wasm): Known {
  moveTo(operands);
  if (hasImmediate && i.imm == 0 && code == Wasm.I32_ADD) {
    pushRegister(i.rs1); // sext.w
    byte(Wasm.I64_EXTEND32_S);
    return Known.EXTENDED;
  }
  pushWord(i.rs1);
  if (hasImmediate) i32Const(i.imm);
  else pushWord(i.rs2);
  byte(code);
  byte(Wasm.I64_EXTEND_I32_S);
  return Known.EXTENDED;
}

function pushWord(address: u32): void {
  if (address == <u32>HartAt.X) i32Const(0);
  else {
    pushRegister(address);
    byte(Wasm.I32_WRAP_I64);
  }
}
