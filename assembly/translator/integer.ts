// Integer operations for which Wasm has no instruction of the same meaning. Operands are on
// the stack, the second on top; the result is left there.
import { A, B, C } from "./locals";
import { Type, Wasm } from "./wasm";
import { byte, end, get, i64Const, ifValue, set, tee } from "./writer";

/** Sign- or zero-extends the low halves of both operands. */
export function words(signed: bool): void {
  extend(signed);
  set(B);
  extend(signed);
  get(B);
}

function extend(signed: bool): void {
  if (signed) byte(Wasm.I64_EXTEND32_S);
  else {
    i64Const(0xffff_ffff);
    byte(Wasm.I64_AND);
  }
}

/** The operand for which `a code b` holds. */
export function choose(code: Wasm): void {
  set(B);
  tee(A);
  get(B);
  get(A);
  get(B);
  byte(code);
  byte(Wasm.SELECT);
}

/** Upper half of the product, from products of 32-bit halves; `shift` is each operand's way to its upper half. */
export function multiplyHigh(shiftA: Wasm, shiftB: Wasm): void {
  set(B);
  set(A);
  // C = ah * bl + (al * bl >> 32)
  pushHigh(A, shiftA);
  pushLow(B);
  byte(Wasm.I64_MUL);
  pushLow(A);
  pushLow(B);
  byte(Wasm.I64_MUL);
  i64Const(32);
  byte(Wasm.I64_SHR_U);
  byte(Wasm.I64_ADD);
  set(C);
  // ah * bh + (C >> 32) + (al * bh + (C & 0xffffffff) >> 32)
  pushHigh(A, shiftA);
  pushHigh(B, shiftB);
  byte(Wasm.I64_MUL);
  pushHigh(C, shiftA);
  byte(Wasm.I64_ADD);
  pushLow(A);
  pushHigh(B, shiftB);
  byte(Wasm.I64_MUL);
  pushLow(C);
  byte(Wasm.I64_ADD);
  i64Const(32);
  byte(shiftB);
  byte(Wasm.I64_ADD);
}

function pushHigh(local: u32, shift: Wasm): void {
  get(local);
  i64Const(32);
  byte(shift);
}

function pushLow(local: u32): void {
  get(local);
  i64Const(0xffff_ffff);
  byte(Wasm.I64_AND);
}

// Division by zero and overflow have results of their own (Unprivileged Architecture 13.2).

export function divide(): void {
  beginDivision();
  i64Const(-1);
  byte(Wasm.ELSE);
  ifMinusOne();
  i64Const(0);
  get(A);
  byte(Wasm.I64_SUB);
  endDivision(Wasm.I64_DIV_S);
}

export function remainder(): void {
  beginDivision();
  get(A);
  byte(Wasm.ELSE);
  ifMinusOne();
  i64Const(0);
  endDivision(Wasm.I64_REM_S);
}

export function divideUnsigned(): void {
  beginDivision();
  i64Const(-1);
  endUnsigned(Wasm.I64_DIV_U);
}

export function remainderUnsigned(): void {
  beginDivision();
  get(A);
  endUnsigned(Wasm.I64_REM_U);
}

function beginDivision(): void {
  set(B);
  set(A);
  get(B);
  byte(Wasm.I64_EQZ);
  ifValue(Type.I64);
}

function ifMinusOne(): void {
  get(B);
  i64Const(-1);
  byte(Wasm.I64_EQ);
  ifValue(Type.I64);
}

function endUnsigned(code: Wasm): void {
  byte(Wasm.ELSE);
  get(A);
  get(B);
  byte(code);
  end();
}

function endDivision(code: Wasm): void {
  endUnsigned(code);
  end();
}

/** orc.b, as isa/arithmetic has it. */
export function orCombineBytes(): void {
  const low: i64 = 0x7f7f_7f7f_7f7f_7f7f;
  tee(A);
  i64Const(low);
  byte(Wasm.I64_AND);
  i64Const(low);
  byte(Wasm.I64_ADD);
  get(A);
  byte(Wasm.I64_OR);
  i64Const(~low);
  byte(Wasm.I64_AND);
  i64Const(7);
  byte(Wasm.I64_SHR_U);
  i64Const(0xff);
  byte(Wasm.I64_MUL);
}

/** rev8: swaps bytes, then pairs, then halves. */
export function reverseBytes(): void {
  swapUnder(0x00ff_00ff_00ff_00ff, 8);
  swapUnder(0x0000_ffff_0000_ffff, 16);
  i64Const(32);
  byte(Wasm.I64_ROTL);
}

/** Swaps neighbouring fields: those under the mask with those `bits` above. */
function swapUnder(mask: i64, bits: i64): void {
  tee(A);
  i64Const(bits);
  byte(Wasm.I64_SHR_U);
  i64Const(mask);
  byte(Wasm.I64_AND);
  get(A);
  i64Const(mask);
  byte(Wasm.I64_AND);
  i64Const(bits);
  byte(Wasm.I64_SHL);
  byte(Wasm.I64_OR);
}
