// Fused multiply-add out of Wasm's own operations (float.ts; fp/fused-float.ts).
import { interpretUnless, pushFinite64, pushIsZero64, pushNormal32, pushNormal64, temp32, temp64 } from "./float-checks";
import { interpretIf } from "./leave";
import { A } from "./locals";
import { Wasm } from "./wasm";
import { byte, end, f64Const, get, i32Const, i64Const, ifThen, set, tee } from "./writer";

const SPLITTER: f64 = 134217729.0;

/** a * b + c of the three doubles on the stack. */
export function fuse64(): void {
  const a = temp64(0);
  const b = temp64(1);
  const c = temp64(2);
  const result = temp64(3);
  set(c);
  set(b);
  set(a);
  pushExponentNear(a, 623, 800);
  pushExponentNear(b, 623, 800);
  byte(Wasm.I32_AND);
  pushExponentNear(c, 523, 1000);
  byte(Wasm.I32_AND);
  ifThen();
  dekker(a, b, c, result);
  byte(Wasm.ELSE);
  fuseWithZero(a, b, c, result);
  end();
  get(result);
}

/** Is the exponent field of the local from `low` to `low + span`? */
function pushExponentNear(local: u32, low: i32, span: i32): void {
  get(local);
  byte(Wasm.I64_REINTERPRET_F64);
  i64Const(52);
  byte(Wasm.I64_SHR_U);
  byte(Wasm.I32_WRAP_I64);
  i32Const(0x7ff);
  byte(Wasm.I32_AND);
  i32Const(low);
  byte(Wasm.I32_SUB);
  i32Const(span + 1);
  byte(Wasm.I32_LT_U);
}

/** A zero among the operands leaves one rounding, or none. */
function fuseWithZero(a: u32, b: u32, c: u32, result: u32): void {
  get(a);
  get(b);
  byte(Wasm.F64_MUL);
  tee(result);
  get(c);
  byte(Wasm.F64_ADD);
  // c is zero, and the product normal; or the product an exact zero, and c finite.
  pushIsZero64(c);
  pushNormal64(result);
  byte(Wasm.I32_AND);
  pushIsZero64(a);
  pushIsZero64(b);
  byte(Wasm.I32_OR);
  pushIsZero64(result);
  byte(Wasm.I32_AND);
  pushFinite64(c);
  byte(Wasm.I32_AND);
  byte(Wasm.I32_OR);
  interpretUnless();
  set(result);
}

function binary(code: Wasm, x: u32, y: u32, to: u32): void {
  get(x);
  get(y);
  byte(code);
  set(to);
}

/** to = x's upper half, after Veltkamp; the temporary is lost. */
function split(x: u32, t: u32, to: u32): void {
  get(x);
  f64Const(SPLITTER);
  byte(Wasm.F64_MUL);
  tee(t);
  get(t);
  get(x);
  byte(Wasm.F64_SUB);
  byte(Wasm.F64_SUB);
  set(to);
}

/** Pushes the error of sum = x + y, after Knuth; the temporary is lost. */
function pushError(sum: u32, x: u32, y: u32, t: u32): void {
  binary(Wasm.F64_SUB, sum, x, t);
  get(x);
  get(sum);
  get(t);
  byte(Wasm.F64_SUB);
  byte(Wasm.F64_SUB);
  get(y);
  get(t);
  byte(Wasm.F64_SUB);
  byte(Wasm.F64_ADD);
}

/**
 * result = a * b + c where the exponents leave room for all errors. The product is an exact
 * pair (Dekker), its upper half and c are added with the exact error (Knuth), and the two low
 * parts join in w, which is off by half a unit in its last place at most: the result is right
 * if it is the same for w a little smaller and a little larger. Nearly always it is: the
 * interpreter does the ties. This is a shorter way from c to the result than
 * fp/fused-float.ts has, and sums of products wait for nothing else.
 */
function dekker(a: u32, b: u32, c: u32, result: u32): void {
  const t = temp64(4);
  const ah = temp64(5);
  const al = temp64(6);
  const bh = temp64(7);
  const bl = temp64(8);
  const ph = temp64(9);
  const sum = temp64(10);
  const w = temp64(11);
  split(a, t, ah);
  binary(Wasm.F64_SUB, a, ah, al);
  split(b, t, bh);
  binary(Wasm.F64_SUB, b, bh, bl);
  binary(Wasm.F64_MUL, a, b, ph);
  binary(Wasm.F64_ADD, ph, c, sum);
  pushError(sum, ph, c, t);
  // The product's error: ah * bh - ph + ah * bl + al * bh + al * bl.
  get(ah);
  get(bh);
  byte(Wasm.F64_MUL);
  get(ph);
  byte(Wasm.F64_SUB);
  addProduct(ah, bl);
  addProduct(al, bh);
  addProduct(al, bl);
  byte(Wasm.F64_ADD);
  set(w);
  binary(Wasm.F64_ADD, sum, w, result);
  pushScaledSum(sum, w, 1 - 2.220446049250313e-16);
  pushScaledSum(sum, w, 1 + 2.220446049250313e-16);
  byte(Wasm.F64_NE);
  interpretIf();
}

/** Pushes sum + w * factor. */
function pushScaledSum(sum: u32, w: u32, factor: f64): void {
  get(sum);
  get(w);
  f64Const(factor);
  byte(Wasm.F64_MUL);
  byte(Wasm.F64_ADD);
}

function addProduct(x: u32, y: u32): void {
  get(x);
  get(y);
  byte(Wasm.F64_MUL);
  byte(Wasm.F64_ADD);
}

/** roundToOdd of fp/fused-float.ts. */
function pushRoundedToOdd(sum: u32, error: u32): void {
  get(sum);
  byte(Wasm.I64_REINTERPRET_F64);
  tee(A);
  i64Const(1);
  byte(Wasm.I64_AND);
  byte(Wasm.I64_EQZ);
  get(error);
  f64Const(0);
  byte(Wasm.F64_NE);
  byte(Wasm.I32_AND);
  ifThen();
  // Away from zero by one unit if both have one sign, towards zero otherwise: -1 or +1.
  get(A);
  get(A);
  get(error);
  byte(Wasm.I64_REINTERPRET_F64);
  byte(Wasm.I64_XOR);
  i64Const(63);
  byte(Wasm.I64_SHR_S);
  i64Const(1);
  byte(Wasm.I64_OR);
  byte(Wasm.I64_ADD);
  set(A);
  end();
  get(A);
  byte(Wasm.F64_REINTERPRET_I64);
}

/** a * b + c of the three singles on the stack: fp/single.ts, fma32. */
export function fuse32(): void {
  const product = temp64(0);
  const addend = temp64(1);
  const sum = temp64(2);
  const error = temp64(3);
  const t = temp64(4);
  const result = temp32(0);
  const second = temp32(1);
  byte(Wasm.F64_PROMOTE_F32);
  set(addend);
  set(second);
  byte(Wasm.F64_PROMOTE_F32);
  get(second);
  byte(Wasm.F64_PROMOTE_F32);
  byte(Wasm.F64_MUL);
  set(product);
  binary(Wasm.F64_ADD, product, addend, sum);
  pushError(sum, product, addend, t);
  set(error);
  pushRoundedToOdd(sum, error);
  byte(Wasm.F32_DEMOTE_F64);
  set(result);
  pushNormal32(result);
  // An exact zero product and a zero addend: their sum is exact.
  byte(Wasm.I32_EQZ);
  ifThen();
  pushIsZero64(product);
  pushIsZero64(addend);
  byte(Wasm.I32_AND);
  interpretUnless();
  end();
  get(result);
}
