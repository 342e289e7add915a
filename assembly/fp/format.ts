// The binary32 and binary64 interchange formats (IEEE 754-2019, 3.4), T being u32 or
// u64. Every function folds to constants and a few bit operations for one T.
//
//   binary32   sign 31   exponent 30..23   fraction 22..0   bias 127
//   binary64   sign 63   exponent 62..52   fraction 51..0   bias 1023
//
// Finite values are taken apart as (-1)^sign * significand / 2^63 * 2^exponent with
// the significand's leading one at bit 63, subnormal numbers included.
import { Flag, raise } from "./flags";

// @ts-ignore: decorator
@inline
export function fractionBits<T extends number>(): i32 {
  return sizeof<T>() == 8 ? 52 : 23;
}

// @ts-ignore: decorator
@inline
export function bias<T extends number>(): i32 {
  return sizeof<T>() == 8 ? 1023 : 127;
}

// @ts-ignore: decorator
@inline
export function infinity<T extends number>(): T {
  return sizeof<T>() == 8 ? <T>0x7ff0000000000000 : <T>0x7f800000;
}

// @ts-ignore: decorator
@inline
export function canonicalNaN<T extends number>(): T {
  return sizeof<T>() == 8 ? <T>0x7ff8000000000000 : <T>0x7fc00000;
}

// @ts-ignore: decorator
@inline
export function signBit<T extends number>(): T {
  return sizeof<T>() == 8 ? <T>0x8000000000000000 : <T>0x80000000;
}

// @ts-ignore: decorator
@inline
export function smallestNormal<T extends number>(): T {
  const bits = <T>fractionBits<T>();
  return <T>(<T>1 << bits);
}

// @ts-ignore: decorator
@inline
export function fractionMask<T extends number>(): T {
  return <T>(smallestNormal<T>() - <T>1);
}

// @ts-ignore: decorator
@inline
export function signOf<T extends number>(a: T): u32 {
  return <u32>(a >> <T>(8 * sizeof<T>() - 1));
}

// @ts-ignore: decorator
@inline
export function magnitude<T extends number>(a: T): T {
  return <T>(a & ~signBit<T>());
}

// @ts-ignore: decorator
@inline
export function exponentField<T extends number>(a: T): i32 {
  return <i32>((a & infinity<T>()) >> <T>fractionBits<T>());
}

// @ts-ignore: decorator
@inline
export function isFinite<T extends number>(a: T): bool {
  return (a & infinity<T>()) != infinity<T>();
}

// @ts-ignore: decorator
@inline
export function isInfinite<T extends number>(a: T): bool {
  return magnitude<T>(a) == infinity<T>();
}

// @ts-ignore: decorator
@inline
export function isNaN<T extends number>(a: T): bool {
  return magnitude<T>(a) > infinity<T>();
}

/** A NaN whose quiet bit, the top bit of the fraction, is clear. */
// @ts-ignore: decorator
@inline
export function isSignaling<T extends number>(a: T): bool {
  return isNaN<T>(a) && (a & canonicalNaN<T>()) != canonicalNaN<T>();
}

/** Normal, finite and not the smallest normal number, which rounding may have reached from below. */
// @ts-ignore: decorator
@inline
export function isSafelyNormal<T extends number>(a: T): bool {
  const doubled = a + a;
  const least = smallestNormal<T>() + smallestNormal<T>() + <T>2;
  const end = infinity<T>() + infinity<T>();
  return doubled - least < end - least;
}

// @ts-ignore: decorator
@inline
export function signedZero<T extends number>(sign: u32): T {
  const top = <T>(8 * sizeof<T>() - 1);
  return <T>(<T>sign << top);
}

// @ts-ignore: decorator
@inline
export function signedInfinity<T extends number>(sign: u32): T {
  return <T>(signedZero<T>(sign) | infinity<T>());
}

/** The significand of a finite value, leading one at bit 63; 0 for a zero. */
// @ts-ignore: decorator
@inline
export function significand<T extends number>(a: T): u64 {
  const fraction = <u64>(a & fractionMask<T>());
  if ((a & infinity<T>()) != <T>0) return (fraction << (63 - fractionBits<T>())) | 0x8000000000000000;
  return fraction << clz<u64>(fraction);
}

/** The exponent that goes with `significand`; of no meaning for a zero. */
// @ts-ignore: decorator
@inline
export function exponent<T extends number>(a: T): i32 {
  const field = exponentField<T>(a);
  if (field != 0) return field - bias<T>();
  return 1 - bias<T>() + (63 - fractionBits<T>()) - <i32>clz<u64>(<u64>(a & fractionMask<T>()));
}

/** What an operation gives for a NaN operand: NV if any is signaling, and the canonical NaN. */
export function nanResult<T extends number>(a: T, b: T): T {
  if (isSignaling<T>(a) || isSignaling<T>(b)) raise(Flag.NV);
  return canonicalNaN<T>();
}

export function invalid<T extends number>(): T {
  raise(Flag.NV);
  return canonicalNaN<T>();
}
