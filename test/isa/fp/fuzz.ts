// biome-ignore-all lint/suspicious/noDoubleEquals: AssemblyScript compares numbers with ==
// biome-ignore-all lint/correctness/noPrecisionLoss: a u64 in AssemblyScript

// AssemblyScript: compares the public operations, which take Wasm's own float path where
// they may, with the integer ones, far more often than a reference process could.
// Rounding to nearest even, with NX accrued and without by turns.
import { HartAt } from "../../../assembly/abi/layout";
import { softAdd } from "../../../assembly/fp/add";
import { softDivide, softSquareRoot } from "../../../assembly/fp/divide";
import { softFused } from "../../../assembly/fp/fused";
import { add32, add64, div32, div64, fma32, fma64, mul32, mul64, sqrt32, sqrt64 } from "../../../assembly/fp/index";
import { softMultiply } from "../../../assembly/fp/multiply";

let state: u64 = 1;

function next(): u64 {
  state ^= state << 13;
  state ^= state >> 7;
  state ^= state << 17;
  return state * 0x9e3779b97f4a7c15;
}

/** A value with its exponent field near `centre`, of a random number of fraction bits. */
function near(centre: i32, spread: u32, bits: u64, top: u64): u64 {
  const r = next();
  let field = <i64>centre + <i64>((r >> 40) % (2 * spread + 1)) - <i64>spread;
  if (field < 0) field = 0;
  if (field > <i64>top) field = <i64>top;
  let fraction = next() & (((<u64>1) << bits) - 1);
  const cut = (r >> 8) % bits;
  if ((r & 3) == 0) fraction &= ~0 << cut;
  else if ((r & 3) == 1) fraction |= (((<u64>1) << bits) - 1) & (~0 << cut);
  else if ((r & 7) == 2) fraction &= 3;
  return (((r >> 63) & 1) << (bits + (top == 0x7ff ? 11 : 8))) | ((<u64>field) << bits) | fraction;
}

function public64(op: u32, a: u64, b: u64, c: u64): u64 {
  if (op == 0) return add64(a, b, 0);
  if (op == 1) return mul64(a, b, 0);
  if (op == 2) return div64(a, b, 0);
  if (op == 3) return sqrt64(a, 0);
  return fma64(a, b, c, 0);
}

function soft64(op: u32, a: u64, b: u64, c: u64): u64 {
  if (op == 0) return softAdd<u64>(a, b, 0);
  if (op == 1) return softMultiply<u64>(a, b, 0);
  if (op == 2) return softDivide<u64>(a, b, 0);
  if (op == 3) return softSquareRoot<u64>(a, 0);
  return softFused<u64>(a, b, c, 0);
}

function public32(op: u32, a: u32, b: u32, c: u32): u32 {
  if (op == 0) return add32(a, b, 0);
  if (op == 1) return mul32(a, b, 0);
  if (op == 2) return div32(a, b, 0);
  if (op == 3) return sqrt32(a, 0);
  return fma32(a, b, c, 0);
}

function soft32(op: u32, a: u32, b: u32, c: u32): u32 {
  if (op == 0) return softAdd<u32>(a, b, 0);
  if (op == 1) return softMultiply<u32>(a, b, 0);
  if (op == 2) return softDivide<u32>(a, b, 0);
  if (op == 3) return softSquareRoot<u32>(a, 0);
  return softFused<u32>(a, b, c, 0);
}

/** How many of `count` cases differ in result or flags; op: add, multiply, divide, root, fused. */
export function fuzz(op: u32, double: bool, seed: u32, count: u32): u32 {
  state = ((<u64>seed) << 1) | 1;
  let different: u32 = 0;
  const bits: u64 = double ? 52 : 23;
  const top: u64 = double ? 0x7ff : 0xff;
  const bias = <i32>(top >> 1);
  for (let i: u32 = 0; i < count; i++) {
    const spread: u32 = i % 3 == 0 ? bias + 1 : double ? 120 : 30;
    const a = near(bias, spread, bits, top);
    // Sums of like exponents; products near 1, near underflow or near overflow.
    const fieldA = <i32>((a >> bits) & top);
    const aim = i % 5 == 0 ? 0 : i % 5 == 1 ? 2 * bias : bias;
    const centreB = op == 0 ? fieldA : op == 2 ? fieldA + bias - aim : aim + bias - fieldA;
    const b = near(centreB, i & 1 ? 3 : 60, bits, top);
    let c = near(fieldA + <i32>((b >> bits) & top) - bias, i & 2 ? 3 : 120, bits, top);
    if (op == 4 && i % 7 == 0) {
      // A near cancellation: the rounded product, negated, with its last bits changed.
      const product = double ? soft64(1, a, b, 0) : <u64>soft32(1, <u32>a, <u32>b, 0);
      c = (product ^ ((<u64>1) << (bits + (double ? 11 : 8)))) + ((next() >> 60) & 7) - 3;
      if (!double) c &= 0xffffffff;
    }
    const preset = (i >> 3) & 1;
    store<u32>(<usize>HartAt.FFLAGS, preset);
    const x = double ? public64(op, a, b, c) : <u64>public32(op, <u32>a, <u32>b, <u32>c);
    const flags = load<u32>(<usize>HartAt.FFLAGS);
    store<u32>(<usize>HartAt.FFLAGS, preset);
    const y = double ? soft64(op, a, b, c) : <u64>soft32(op, <u32>a, <u32>b, <u32>c);
    if (x != y || flags != load<u32>(<usize>HartAt.FFLAGS)) different++;
  }
  return different;
}
