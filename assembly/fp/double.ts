// The D extension's operations on raw binary64 bits, rm resolved to 0..4. Each tries
// Wasm's own operation first, which rounds to nearest even, and keeps the result where
// it provably equals IEEE 754 with the flags unchanged; otherwise it works in integers.
//
// A normal result other than the smallest normal number can have raised nothing but NX:
// invalid gives a NaN, division by zero and overflow give an infinity, and a tiny result
// rounds to the smallest normal number at most. So it is right whenever NX has accrued
// already, or when the result is shown to be exact.
//
// Float expressions below hold no constant operands: the optimizer may drop x * 1 or
// x - 0, which is wrong for signaling NaNs. (NaNs made by Wasm never leave here.)
import { Rm, inexactAccrued } from "./flags";
import { isFinite, isSafelyNormal, signBit } from "./format";
import { softAdd } from "./add";
import { softMultiply } from "./multiply";
import { softDivide, softSquareRoot } from "./divide";
import { softFused } from "./fused";
import { canFuseInFloat, fuseInFloat } from "./fused-float";
import { classify, equal, lessOrEqual, lessThan, maximum, minimum } from "./compare";
import { fromI64, fromInteger, toI32, toI64, toU32, toU64 } from "./convert";

export { narrow as f64ToF32, widen as f32ToF64 } from "./convert";

/** In line: what nearly always happens. */
// @ts-ignore: decorator
@inline
export function add64(a: u64, b: u64, rm: u32): u64 {
  const bits = reinterpret<u64>(reinterpret<f64>(a) + reinterpret<f64>(b));
  return rm == <u32>Rm.RNE && inexactAccrued() && isFinite<u64>(bits) ? bits : addCarefully(a, b, rm);
}

function addCarefully(a: u64, b: u64, rm: u32): u64 {
  if (rm == <u32>Rm.RNE) {
    const x = reinterpret<f64>(a);
    const y = reinterpret<f64>(b);
    const sum = x + y;
    const bits = reinterpret<u64>(sum);
    // A subnormal sum is exact, so finite is enough.
    if (isFinite<u64>(bits)) {
      if (inexactAccrued()) return bits;
      // Knuth's two-sum gives the error exactly; if it overflows midway this is a NaN.
      const t = sum - x;
      if (x - (sum - t) + (y - t) == 0) return bits;
    }
  }
  return softAdd<u64>(a, b, rm);
}

// @ts-ignore: decorator
@inline
export function sub64(a: u64, b: u64, rm: u32): u64 {
  return add64(a, b ^ signBit<u64>(), rm);
}

/** In line: what nearly always happens. */
// @ts-ignore: decorator
@inline
export function mul64(a: u64, b: u64, rm: u32): u64 {
  const bits = reinterpret<u64>(reinterpret<f64>(a) * reinterpret<f64>(b));
  return rm == <u32>Rm.RNE && inexactAccrued() && isSafelyNormal<u64>(bits) ? bits : mulCarefully(a, b, rm);
}

function mulCarefully(a: u64, b: u64, rm: u32): u64 {
  if (rm == <u32>Rm.RNE) {
    const bits = reinterpret<u64>(reinterpret<f64>(a) * reinterpret<f64>(b));
    // Exact when the factors have 53 significant bits or fewer between them.
    if (isSafelyNormal<u64>(bits) && (inexactAccrued() || trailingZeros(a) + trailingZeros(b) >= 53)) return bits;
  }
  return softMultiply<u64>(a, b, rm);
}

/** Zeros at the end of the significand, or fewer. */
// @ts-ignore: decorator
@inline
function trailingZeros(a: u64): u32 {
  return <u32>ctz<u64>(a | 0x10000000000000);
}

export function div64(a: u64, b: u64, rm: u32): u64 {
  if (rm == <u32>Rm.RNE && inexactAccrued()) {
    const bits = reinterpret<u64>(reinterpret<f64>(a) / reinterpret<f64>(b));
    if (isSafelyNormal<u64>(bits)) return bits;
  }
  return softDivide<u64>(a, b, rm);
}

export function sqrt64(a: u64, rm: u32): u64 {
  if (rm == <u32>Rm.RNE && inexactAccrued()) {
    const bits = reinterpret<u64>(sqrt<f64>(reinterpret<f64>(a)));
    if (isSafelyNormal<u64>(bits)) return bits;
  }
  return softSquareRoot<u64>(a, rm);
}

/** a * b + c, rounded once. */
export function fma64(a: u64, b: u64, c: u64, rm: u32): u64 {
  if (rm == <u32>Rm.RNE && inexactAccrued() && canFuseInFloat(a, b, c)) return fuseInFloat(a, b, c);
  return softFused<u64>(a, b, c, rm);
}

export function min64(a: u64, b: u64): u64 {
  return minimum<u64>(a, b);
}

export function max64(a: u64, b: u64): u64 {
  return maximum<u64>(a, b);
}

// A float comparison that holds has seen no NaN, so no flag is due.
export function eq64(a: u64, b: u64): u32 {
  return reinterpret<f64>(a) == reinterpret<f64>(b) ? 1 : equal<u64>(a, b);
}

export function lt64(a: u64, b: u64): u32 {
  return reinterpret<f64>(a) < reinterpret<f64>(b) ? 1 : lessThan<u64>(a, b);
}

export function le64(a: u64, b: u64): u32 {
  return reinterpret<f64>(a) <= reinterpret<f64>(b) ? 1 : lessOrEqual<u64>(a, b);
}

export function class64(a: u64): u32 {
  return classify<u64>(a);
}

export function f64ToI32(a: u64, rm: u32): i64 {
  return toI32<u64>(a, rm);
}

export function f64ToU32(a: u64, rm: u32): i64 {
  return toU32<u64>(a, rm);
}

export function f64ToI64(a: u64, rm: u32): i64 {
  return toI64<u64>(a, rm);
}

export function f64ToU64(a: u64, rm: u32): i64 {
  return toU64<u64>(a, rm);
}

/** Exact, so no rounding mode; the same for u32. */
export function i32ToF64(value: i32): u64 {
  return reinterpret<u64>(<f64>value);
}

export function u32ToF64(value: u32): u64 {
  return reinterpret<u64>(<f64>value);
}

export function i64ToF64(value: i64, rm: u32): u64 {
  if (rm == <u32>Rm.RNE && inexactAccrued()) return reinterpret<u64>(<f64>value);
  return fromI64<u64>(value, rm);
}

export function u64ToF64(value: u64, rm: u32): u64 {
  if (rm == <u32>Rm.RNE && inexactAccrued()) return reinterpret<u64>(<f64>value);
  return fromInteger<u64>(0, value, rm);
}
