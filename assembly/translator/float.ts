// Floating point on Wasm's own operations. A region with arithmetic is entered only while
// NX has accrued and, where it matters, frm says to nearest (RegionFlag.FAST_FLOAT); then an
// operation is right whenever its result is one of those that fp/double.ts names, and the
// interpreter does the others. Registers are f64 locals with the bits of the register; what
// is known of a single is in an f32 local beside it for the rest of a block.
//
// Wasm keeps all bits of a NaN in loads, stores, locals and reinterpretations, and neg, abs
// and copysign work on the sign alone; whatever else yields a NaN is left to the interpreter.
import { HartAt } from "../abi/layout";
import { Insn } from "./insn";
import { interpretIf } from "./leave";
import { A, B, HOST, Key, localFor } from "./locals";
import { Type, Wasm } from "./wasm";
import { access, byte, f32Const, f64Const, get, i32Const, i64Const, ifThen, ifValue, set, tee } from "./writer";

const BOX: i64 = <i64>0xffff_ffff_0000_0000;
const SMALLEST_64: f64 = reinterpret<f64>(<u64>0x0010_0000_0000_0000);
const SMALLEST_32: f32 = reinterpret<f32>(<u32>0x0080_0000);

/** Registers whose single is in its f32 local. */
let singles: u32 = 0;

/** Nothing is known of singles: a block begins. */
export function forgetSingles(): void {
  singles = 0;
}

function number(address: u32): u32 {
  return (address - <u32>HartAt.F) >> 3;
}

function temp64(n: u32): u32 {
  return localFor(Key.F64_TEMP + n);
}

function temp32(n: u32): u32 {
  return localFor(Key.F32_TEMP + n);
}

// --- registers ---

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

// --- is the result one that Wasm's operation gives with the right flags? ---

/** |value| < infinity, of the local. */
function pushFinite64(local: u32): void {
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
function pushNormal64(local: u32): void {
  pushFinite64(local);
  get(local);
  byte(Wasm.F64_ABS);
  f64Const(SMALLEST_64);
  byte(Wasm.F64_GT);
  byte(Wasm.I32_AND);
}

function pushNormal32(local: u32): void {
  pushFinite32(local);
  get(local);
  byte(Wasm.F32_ABS);
  f32Const(SMALLEST_32);
  byte(Wasm.F32_GT);
  byte(Wasm.I32_AND);
}

function interpretUnless(): void {
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

function pushIsZero64(local: u32): void {
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
  byte(Wasm.END);
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
  byte(Wasm.END);
  get(result);
}

function double(address: u32): u32 {
  return localFor(Key.F + number(address));
}
function single(address: u32): u32 {
  return localFor(Key.SINGLE + number(address));
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
  const result = temp64(0);
  set(result);
  pushFinite64(result);
  interpretUnless();
  get(result);
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
  const a = temp64(0);
  const b = temp64(1);
  set(b);
  tee(a);
  get(b);
  byte(code);
  tee(HOST);
  byte(Wasm.I32_EQZ);
  ifThen();
  if (<u32>opposite == <u32>Wasm.F64_NE) {
    // Unordered values are unequal too: both must be numbers.
    get(a);
    get(a);
    byte(Wasm.F64_EQ);
    get(b);
    get(b);
    byte(Wasm.F64_EQ);
    byte(Wasm.I32_AND);
  } else {
    get(a);
    get(b);
    byte(opposite);
  }
  interpretUnless();
  byte(Wasm.END);
  get(HOST);
}

export function compare32(code: Wasm, opposite: Wasm): void {
  const a = temp32(0);
  const b = temp32(1);
  set(b);
  tee(a);
  get(b);
  byte(code);
  tee(HOST);
  byte(Wasm.I32_EQZ);
  ifThen();
  if (<u32>opposite == <u32>Wasm.F32_NE) {
    get(a);
    get(a);
    byte(Wasm.F32_EQ);
    get(b);
    get(b);
    byte(Wasm.F32_EQ);
    byte(Wasm.I32_AND);
  } else {
    get(a);
    get(b);
    byte(opposite);
  }
  interpretUnless();
  byte(Wasm.END);
  get(HOST);
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

// --- conversions ---

/** Rounds the f64 on the stack to an integer, into a temporary. Static modes are 0 and 1 (discover.ts). */
function round(rm: u32): u32 {
  const rounded = temp64(0);
  byte(rm == 1 ? Wasm.F64_TRUNC : Wasm.F64_NEAREST);
  set(rounded);
  return rounded;
}

function checkSigned(rounded: u32, limit: f64): void {
  get(rounded);
  byte(Wasm.F64_ABS);
  f64Const(limit);
  byte(Wasm.F64_LT);
  interpretUnless();
  get(rounded);
  byte(Wasm.I64_TRUNC_F64_S);
}

function checkUnsigned(rounded: u32, limit: f64): void {
  get(rounded);
  f64Const(0);
  byte(Wasm.F64_GE);
  get(rounded);
  f64Const(limit);
  byte(Wasm.F64_LT);
  byte(Wasm.I32_AND);
  interpretUnless();
  get(rounded);
  byte(Wasm.I64_TRUNC_F64_U);
}

export function toSigned32(rm: u32): void {
  checkSigned(round(rm), 2147483648.0);
}
export function toSigned64(rm: u32): void {
  checkSigned(round(rm), 9223372036854775808.0);
}
export function toUnsigned32(rm: u32): void {
  checkUnsigned(round(rm), 4294967296.0);
  byte(Wasm.I64_EXTEND32_S);
}
export function toUnsigned64(rm: u32): void {
  checkUnsigned(round(rm), 18446744073709551616.0);
}

/** fcvt.s.d */
export function narrow(i: Insn): void {
  const result = temp32(0);
  byte(Wasm.F32_DEMOTE_F64);
  set(result);
  pushNormal32(result);
  byte(Wasm.I32_EQZ);
  ifThen();
  pushIsZero64(double(i.rs1));
  interpretUnless();
  byte(Wasm.END);
  get(result);
}

// --- fused multiply-add (fp/fused-float.ts) ---

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
  byte(Wasm.END);
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
  byte(Wasm.END);
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
  byte(Wasm.END);
  get(result);
}
