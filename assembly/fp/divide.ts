// Division and square root, for every rounding mode (IEEE 754-2019, 5.4.1).
//
// Wasm's own operation gives the nearest 53-bit quotient q of the two significands (or
// root of one); the sign of the remainder, computed exactly in integers modulo 2^64,
// says on which side of q the true result lies. It is less than half a unit of q away
// and never exactly half: a quotient or root of values of at most 54 bits cannot end in
// a single 54th bit. So q with one sticky unit, ten places further down, added or taken
// away rounds in every mode and to every shorter precision as the true result does.
import { Flag, raise } from "./flags";
import {
  exponent, invalid, isFinite, isInfinite, isNaN, magnitude, nanResult, signOf, signedInfinity, signedZero, significand,
} from "./format";
import { roundPack } from "./round";

const FRACTION: u64 = 0xfffffffffffff;
const LEADING_ONE: u64 = 0x10000000000000;

/** The 53 bits of a number in [1, 2), with the sign of the remainder jammed below. */
// @ts-ignore: decorator
@inline
function jamRemainder(q: u64, remainder: i64): u64 {
  return (q << 10) + <u64>(i64(remainder > 0) - i64(remainder < 0));
}

export function softDivide<T extends number>(a: T, b: T, rm: u32): T {
  const sign = signOf<T>(a) ^ signOf<T>(b);
  if (!isFinite<T>(a) || !isFinite<T>(b)) return divideSpecial<T>(a, b, sign);
  if (magnitude<T>(b) == <T>0) {
    if (magnitude<T>(a) == <T>0) return invalid<T>();
    raise(Flag.DZ);
    return signedInfinity<T>(sign);
  }
  if (magnitude<T>(a) == <T>0) return signedZero<T>(sign);
  let e = exponent<T>(a) - exponent<T>(b);
  let ma = significand<T>(a) >> 11;
  const mb = significand<T>(b) >> 11;
  if (ma < mb) {
    ma <<= 1;
    e--;
  }
  const q = (reinterpret<u64>(<f64>(<i64>ma) / <f64>(<i64>mb)) & FRACTION) | LEADING_ONE;
  return roundPack<T>(sign, e, jamRemainder(q, <i64>((ma << 52) - q * mb)), rm);
}

function divideSpecial<T extends number>(a: T, b: T, sign: u32): T {
  if (isNaN<T>(a) || isNaN<T>(b)) return nanResult<T>(a, b);
  if (isInfinite<T>(b)) return isInfinite<T>(a) ? invalid<T>() : signedZero<T>(sign);
  return signedInfinity<T>(sign);
}

export function softSquareRoot<T extends number>(a: T, rm: u32): T {
  if (isNaN<T>(a)) return nanResult<T>(a, a);
  if (magnitude<T>(a) == <T>0) return a;
  if (signOf<T>(a) != 0) return invalid<T>();
  if (isInfinite<T>(a)) return a;
  const e = exponent<T>(a);
  const odd = <u64>(e & 1);
  const m = significand<T>(a) >> 11;
  // The significand, doubled when the exponent is odd, as a binary64 in [1, 4).
  const x = reinterpret<f64>(((1023 + odd) << 52) | (m & FRACTION));
  const q = (reinterpret<u64>(sqrt<f64>(x)) & FRACTION) | LEADING_ONE;
  return roundPack<T>(0, e >> 1, jamRemainder(q, <i64>((m << (52 + odd)) - q * q)), rm);
}
