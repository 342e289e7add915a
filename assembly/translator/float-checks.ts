// Is the result of one of Wasm's operations right, flags included? What these checks do not
// let pass is the interpreter's (float.ts). Operands and results are on the stack.
import { double, single } from "./float";
import { Insn } from "./insn";
import { interpretIf } from "./leave";
import { HOST, Key, localFor } from "./locals";
import { Wasm } from "./wasm";
import { byte, end, f32Const, f64Const, get, ifThen, set, tee } from "./writer";

const SMALLEST_64: f64 = reinterpret<f64>(<u64>0x0010_0000_0000_0000);
const SMALLEST_32: f32 = reinterpret<f32>(<u32>0x0080_0000);

/** Temporaries, 16 of each: no instruction relies on another's. */
export function temp64(n: u32): u32 {
  return localFor(Key.F64_TEMP + n);
}

export function temp32(n: u32): u32 {
  return localFor(Key.F32_TEMP + n);
}

/** |value| < infinity, of the local. */
export function pushFinite64(local: u32): void {
  get(local);
  byte(Wasm.F64_ABS);
  f64Const(Infinity);
  byte(Wasm.F64_LT);
}

function pushFinite32(local: u32): void {
  get(local);
  byte(Wasm.F32_ABS);
  f32Const(<f32>Infinity);
  byte(Wasm.F32_LT);
}

/** Normal and larger than the smallest normal number: nothing but NX can have been raised. */
export function pushNormal64(local: u32): void {
  pushFinite64(local);
  get(local);
  byte(Wasm.F64_ABS);
  f64Const(SMALLEST_64);
  byte(Wasm.F64_GT);
  byte(Wasm.I32_AND);
}

export function pushNormal32(local: u32): void {
  pushFinite32(local);
  get(local);
  byte(Wasm.F32_ABS);
  f32Const(SMALLEST_32);
  byte(Wasm.F32_GT);
  byte(Wasm.I32_AND);
}

export function interpretUnless(): void {
  byte(Wasm.I32_EQZ);
  interpretIf();
}

export function checkFinite64(): void {
  const result = temp64(0);
  set(result);
  pushFinite64(result);
  interpretUnless();
  get(result);
}

export function checkFinite32(): void {
  const result = temp32(0);
  set(result);
  pushFinite32(result);
  interpretUnless();
  get(result);
}

export function pushIsZero64(local: u32): void {
  get(local);
  f64Const(0);
  byte(Wasm.F64_EQ);
}

function pushIsZero32(local: u32): void {
  get(local);
  f32Const(0);
  byte(Wasm.F32_EQ);
}

/** After set(result) and pushNormal: else a zero that is exact because an operand is. */
function orExactZero64(result: u32, first: u32, second: u32): void {
  byte(Wasm.I32_EQZ);
  ifThen();
  pushIsZero64(result);
  pushIsZero64(first);
  if (second != 0) {
    pushIsZero64(second);
    byte(Wasm.I32_OR);
  }
  byte(Wasm.I32_AND);
  interpretUnless();
  end();
  get(result);
}

function orExactZero32(result: u32, first: u32, second: u32): void {
  byte(Wasm.I32_EQZ);
  ifThen();
  pushIsZero32(result);
  pushIsZero32(first);
  if (second != 0) {
    pushIsZero32(second);
    byte(Wasm.I32_OR);
  }
  byte(Wasm.I32_AND);
  interpretUnless();
  end();
  get(result);
}

export function checkProduct64(i: Insn): void {
  const result = temp64(0);
  set(result);
  pushNormal64(result);
  orExactZero64(result, double(i.rs1), double(i.rs2));
}

export function checkProduct32(i: Insn): void {
  const result = temp32(0);
  set(result);
  pushNormal32(result);
  orExactZero32(result, single(i.rs1), single(i.rs2));
}

export function checkQuotient64(i: Insn): void {
  const result = temp64(0);
  set(result);
  pushNormal64(result);
  orExactZero64(result, double(i.rs1), 0);
}

export function checkQuotient32(i: Insn): void {
  const result = temp32(0);
  set(result);
  pushNormal32(result);
  orExactZero32(result, single(i.rs1), 0);
}

/** The root of a zero is that zero; no other root is tiny. */
export function checkRoot64(): void {
  checkFinite64();
}

export function checkRoot32(): void {
  checkFinite32();
}

/** Not a NaN. */
export function checkNumber64(): void {
  const result = temp64(0);
  tee(result);
  get(result);
  byte(Wasm.F64_NE);
  interpretIf();
  get(result);
}

export function checkNumber32(): void {
  const result = temp32(0);
  tee(result);
  get(result);
  byte(Wasm.F32_NE);
  interpretIf();
  get(result);
}

// --- comparisons: if one does not hold, its opposite must, or an operand is a NaN ---

export function compare64(code: Wasm, opposite: Wasm): void {
  compare(temp64(0), temp64(1), code, opposite, <u32>opposite == <u32>Wasm.F64_NE, Wasm.F64_EQ);
}

export function compare32(code: Wasm, opposite: Wasm): void {
  compare(temp32(0), temp32(1), code, opposite, <u32>opposite == <u32>Wasm.F32_NE, Wasm.F32_EQ);
}

/** `isUnequal`: the opposite holds of unordered values too, so both must be numbers, which `equal` to themselves are. */
function compare(a: u32, b: u32, code: Wasm, opposite: Wasm, isUnequal: bool, equal: Wasm): void {
  set(b);
  tee(a);
  get(b);
  byte(code);
  tee(HOST);
  byte(Wasm.I32_EQZ);
  ifThen();
  if (isUnequal) {
    get(a);
    get(a);
    byte(equal);
    get(b);
    get(b);
    byte(equal);
    byte(Wasm.I32_AND);
  } else {
    get(a);
    get(b);
    byte(opposite);
  }
  interpretUnless();
  end();
  get(HOST);
}
