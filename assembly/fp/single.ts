// The F extension's operations on raw binary32 bits, rm resolved to 0..4; the reasoning
// about fast paths is double.ts's. Here a binary64 holds the exact product of two
// operands, which makes an inexact result cheap to tell from an exact one.
import { Rm, inexactAccrued } from "./flags";
import { isFinite, isSafelyNormal, signBit } from "./format";
import { softAdd } from "./add";
import { softMultiply } from "./multiply";
import { softDivide, softSquareRoot } from "./divide";
import { softFused } from "./fused";
import { roundToOdd } from "./fused-float";
import { classify, equal, lessOrEqual, lessThan, maximum, minimum } from "./compare";
import { fromI64, fromInteger, toI32, toI64, toU32, toU64 } from "./convert";

export function add32(a: u32, b: u32, rm: u32): u32 {
  if (rm == <u32>Rm.RNE) {
    const x = reinterpret<f32>(a);
    const y = reinterpret<f32>(b);
    const sum = x + y;
    const bits = reinterpret<u32>(sum);
    if (isFinite<u32>(bits)) {
      if (inexactAccrued()) return bits;
      const t = sum - x;
      if (x - (sum - t) + (y - t) == 0) return bits;
    }
  }
  return softAdd<u32>(a, b, rm);
}

export function sub32(a: u32, b: u32, rm: u32): u32 {
  return add32(a, b ^ signBit<u32>(), rm);
}

export function mul32(a: u32, b: u32, rm: u32): u32 {
  if (rm == <u32>Rm.RNE) {
    const exact = <f64>reinterpret<f32>(a) * <f64>reinterpret<f32>(b);
    const product = <f32>exact;
    const bits = reinterpret<u32>(product);
    if (isSafelyNormal<u32>(bits) && (inexactAccrued() || <f64>product == exact)) return bits;
  }
  return softMultiply<u32>(a, b, rm);
}

export function div32(a: u32, b: u32, rm: u32): u32 {
  if (rm == <u32>Rm.RNE) {
    const x = reinterpret<f32>(a);
    const y = reinterpret<f32>(b);
    const quotient = x / y;
    const bits = reinterpret<u32>(quotient);
    if (isSafelyNormal<u32>(bits) && (inexactAccrued() || <f64>quotient * <f64>y == <f64>x)) return bits;
  }
  return softDivide<u32>(a, b, rm);
}

export function sqrt32(a: u32, rm: u32): u32 {
  if (rm == <u32>Rm.RNE) {
    const x = reinterpret<f32>(a);
    const root = sqrt<f32>(x);
    const bits = reinterpret<u32>(root);
    if (isSafelyNormal<u32>(bits) && (inexactAccrued() || <f64>root * <f64>root == <f64>x)) return bits;
  }
  return softSquareRoot<u32>(a, rm);
}

/**
 * a * b + c, rounded once. The binary64 sum of the exact product and c, rounded to odd,
 * has more than two bits to spare, so rounding it again to binary32 is right.
 */
export function fma32(a: u32, b: u32, c: u32, rm: u32): u32 {
  if (rm == <u32>Rm.RNE) {
    const product = <f64>reinterpret<f32>(a) * <f64>reinterpret<f32>(b);
    const addend = <f64>reinterpret<f32>(c);
    const sum = product + addend;
    const t = sum - product;
    const error = product - (sum - t) + (addend - t);
    const result = <f32>roundToOdd(sum, error);
    const bits = reinterpret<u32>(result);
    if (isSafelyNormal<u32>(bits) && (inexactAccrued() || (error == 0 && <f64>result == sum))) return bits;
  }
  return softFused<u32>(a, b, c, rm);
}

export function min32(a: u32, b: u32): u32 {
  return minimum<u32>(a, b);
}

export function max32(a: u32, b: u32): u32 {
  return maximum<u32>(a, b);
}

export function eq32(a: u32, b: u32): u32 {
  return reinterpret<f32>(a) == reinterpret<f32>(b) ? 1 : equal<u32>(a, b);
}

export function lt32(a: u32, b: u32): u32 {
  return reinterpret<f32>(a) < reinterpret<f32>(b) ? 1 : lessThan<u32>(a, b);
}

export function le32(a: u32, b: u32): u32 {
  return reinterpret<f32>(a) <= reinterpret<f32>(b) ? 1 : lessOrEqual<u32>(a, b);
}

export function class32(a: u32): u32 {
  return classify<u32>(a);
}

export function f32ToI32(a: u32, rm: u32): i64 {
  return toI32<u32>(a, rm);
}

export function f32ToU32(a: u32, rm: u32): i64 {
  return toU32<u32>(a, rm);
}

export function f32ToI64(a: u32, rm: u32): i64 {
  return toI64<u32>(a, rm);
}

export function f32ToU64(a: u32, rm: u32): i64 {
  return toU64<u32>(a, rm);
}

export function i32ToF32(value: i32, rm: u32): u32 {
  return i64ToF32(value, rm);
}

export function u32ToF32(value: u32, rm: u32): u32 {
  return u64ToF32(value, rm);
}

export function i64ToF32(value: i64, rm: u32): u32 {
  if (rm == <u32>Rm.RNE && inexactAccrued()) return reinterpret<u32>(<f32>value);
  return fromI64<u32>(value, rm);
}

export function u64ToF32(value: u64, rm: u32): u32 {
  if (rm == <u32>Rm.RNE && inexactAccrued()) return reinterpret<u32>(<f32>value);
  return fromInteger<u32>(0, value, rm);
}
