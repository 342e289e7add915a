// Comparisons, minimum and maximum, and classification. FEQ is quiet, FLT and FLE are
// signaling (IEEE 754-2019, 5.11); FMIN and FMAX are minimumNumber and maximumNumber
// (9.6): a NaN beside a number is ignored, -0 is below +0, a signaling NaN raises NV.
// Classes are numbered as the bits of FCLASS (RISC-V "F" extension).
import { Flag, raise } from "./flags";
import { exponentField, isInfinite, isNaN, isSignaling, magnitude, nanResult, signOf } from "./format";

/** Numbers in order as signed integers in order; both zeros compare as 0. */
// @ts-ignore: decorator
@inline
function ordered<T extends number>(a: T): i64 {
  return signOf<T>(a) != 0 ? -(<i64>magnitude<T>(a)) : <i64>a;
}

function unordered<T extends number>(a: T, b: T, signaling: bool): bool {
  if (!isNaN<T>(a) && !isNaN<T>(b)) return false;
  if (signaling || isSignaling<T>(a) || isSignaling<T>(b)) raise(Flag.NV);
  return true;
}

export function equal<T extends number>(a: T, b: T): u32 {
  if (unordered<T>(a, b, false)) return 0;
  return u32(ordered<T>(a) == ordered<T>(b));
}

export function lessThan<T extends number>(a: T, b: T): u32 {
  if (unordered<T>(a, b, true)) return 0;
  return u32(ordered<T>(a) < ordered<T>(b));
}

export function lessOrEqual<T extends number>(a: T, b: T): u32 {
  if (unordered<T>(a, b, true)) return 0;
  return u32(ordered<T>(a) <= ordered<T>(b));
}

/** The one number beside a NaN, or the canonical NaN when both are. */
function numberBesideNaN<T extends number>(a: T, b: T): T {
  const nan = nanResult<T>(a, b);
  return isNaN<T>(a) ? (isNaN<T>(b) ? nan : b) : a;
}

export function minimum<T extends number>(a: T, b: T): T {
  if (isNaN<T>(a) || isNaN<T>(b)) return numberBesideNaN<T>(a, b);
  const x = ordered<T>(a);
  const y = ordered<T>(b);
  if (x == y) return signOf<T>(a) != 0 ? a : b;
  return x < y ? a : b;
}

export function maximum<T extends number>(a: T, b: T): T {
  if (isNaN<T>(a) || isNaN<T>(b)) return numberBesideNaN<T>(a, b);
  const x = ordered<T>(a);
  const y = ordered<T>(b);
  if (x == y) return signOf<T>(a) != 0 ? b : a;
  return x > y ? a : b;
}

export const enum Class {
  NEGATIVE_INFINITY = 0,
  NEGATIVE_NORMAL = 1,
  NEGATIVE_SUBNORMAL = 2,
  NEGATIVE_ZERO = 3,
  POSITIVE_ZERO = 4,
  POSITIVE_SUBNORMAL = 5,
  POSITIVE_NORMAL = 6,
  POSITIVE_INFINITY = 7,
  SIGNALING_NAN = 8,
  QUIET_NAN = 9,
}

export function classify<T extends number>(a: T): u32 {
  let index: u32 = Class.POSITIVE_NORMAL;
  if (isNaN<T>(a)) {
    index = isSignaling<T>(a) ? Class.SIGNALING_NAN : Class.QUIET_NAN;
    return 1 << index;
  }
  if (magnitude<T>(a) == <T>0) index = Class.POSITIVE_ZERO;
  else if (isInfinite<T>(a)) index = Class.POSITIVE_INFINITY;
  else if (exponentField<T>(a) == 0) index = Class.POSITIVE_SUBNORMAL;
  // The negative classes are the positive ones mirrored.
  if (signOf<T>(a) != 0) index = Class.POSITIVE_INFINITY - index;
  return 1 << index;
}
