// Floating point on Wasm's own operations. A region with arithmetic is entered only while
// NX has accrued and, where it matters, frm says to nearest (RegionFlag.FAST_FLOAT); then an
// operation is right whenever its result is one of those that fp/double.ts names, and the
// interpreter does the others. Registers are f64 locals with the bits of the register; what
// is known of a single is in an f32 local beside it for the rest of a block.
//
// Wasm keeps all bits of a NaN in loads, stores, locals and reinterpretations, and neg, abs
// and copysign work on the sign alone; whatever else yields a NaN is left to the interpreter.
import { HartAt } from "../abi/layout";
import { interpretIf } from "./leave";
import { A, Key, localFor } from "./locals";
import { Wasm } from "./wasm";
import { access, byte, get, i32Const, i64Const, set, tee } from "./writer";

const BOX: i64 = <i64>0xffff_ffff_0000_0000;

/** Registers whose single is in its f32 local. */
let singles: u32 = 0;

/** Nothing is known of singles: a block begins. */
export function forgetSingles(): void {
  singles = 0;
}

function number(address: u32): u32 {
  return (address - <u32>HartAt.F) >> 3;
}

export function pushDouble(address: u32): void {
  get(localFor(Key.F + number(address)));
}

export function setDouble(address: u32): void {
  const n = number(address);
  singles &= ~(1 << n);
  set(localFor(Key.F + n));
}

/** A register that does not hold a boxed single reads as a NaN, which is the interpreter's. */
export function pushSingle(address: u32): void {
  const n = number(address);
  const single = localFor(Key.SINGLE + n);
  if ((singles >> n) & 1) {
    get(single);
    return;
  }
  get(localFor(Key.F + n));
  byte(Wasm.I64_REINTERPRET_F64);
  tee(A);
  i64Const(32);
  byte(Wasm.I64_SHR_U);
  i64Const(0xffff_ffff);
  byte(Wasm.I64_NE);
  interpretIf();
  get(A);
  byte(Wasm.I32_WRAP_I64);
  byte(Wasm.F32_REINTERPRET_I32);
  tee(single);
  singles |= 1 << n;
}

export function setSingle(address: u32): void {
  const n = number(address);
  tee(localFor(Key.SINGLE + n));
  byte(Wasm.I32_REINTERPRET_F32);
  byte(Wasm.I64_EXTEND_I32_U);
  i64Const(BOX);
  byte(Wasm.I64_OR);
  byte(Wasm.F64_REINTERPRET_I64);
  set(localFor(Key.F + n));
  singles |= 1 << n;
}

/** Stores the low half, whatever the register holds, `offset` bytes behind the address on the stack. */
export function storeSingle(address: u32, offset: u32): void {
  const n = number(address);
  if ((singles >> n) & 1) {
    get(localFor(Key.SINGLE + n));
    access(Wasm.F32_STORE, offset);
    return;
  }
  pushDouble(address);
  byte(Wasm.I64_REINTERPRET_F64);
  access(Wasm.I64_STORE32, offset);
}

/** The locals of a register. */
export function double(address: u32): u32 {
  return localFor(Key.F + number(address));
}
export function single(address: u32): u32 {
  return localFor(Key.SINGLE + number(address));
}

// --- signs ---

export function xorSign64(): void {
  byte(Wasm.I64_REINTERPRET_F64);
  i64Const(i64.MIN_VALUE);
  byte(Wasm.I64_AND);
  set(A);
  byte(Wasm.I64_REINTERPRET_F64);
  get(A);
  byte(Wasm.I64_XOR);
  byte(Wasm.F64_REINTERPRET_I64);
}

export function xorSign32(): void {
  // -|b| or |b| as the sign of 1, times the sign of a: copysign twice would lose a's.
  byte(Wasm.I32_REINTERPRET_F32);
  i32Const(i32.MIN_VALUE);
  byte(Wasm.I32_AND);
  byte(Wasm.I64_EXTEND_I32_U);
  set(A);
  byte(Wasm.I32_REINTERPRET_F32);
  byte(Wasm.I64_EXTEND_I32_U);
  get(A);
  byte(Wasm.I64_XOR);
  byte(Wasm.I32_WRAP_I64);
  byte(Wasm.F32_REINTERPRET_I32);
}
