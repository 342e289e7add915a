// Multiplication in integers, for every rounding mode (IEEE 754-2019, 5.4.1).
import { exponent, invalid, isFinite, isNaN, magnitude, nanResult, signOf, signedInfinity, signedZero, significand } from "./format";
import { roundPack } from "./round";

/** The upper 64 bits of the 128-bit product. */
// @ts-ignore: decorator
@inline
export function multiplyHigh(a: u64, b: u64): u64 {
  const al = a & 0xffffffff;
  const ah = a >> 32;
  const bl = b & 0xffffffff;
  const bh = b >> 32;
  const t = ah * bl + ((al * bl) >> 32);
  return ah * bh + (t >> 32) + ((al * bh + (t & 0xffffffff)) >> 32);
}

export function softMultiply<T extends number>(a: T, b: T, rm: u32): T {
  const sign = signOf<T>(a) ^ signOf<T>(b);
  if (!isFinite<T>(a) || !isFinite<T>(b)) return multiplySpecial<T>(a, b, sign);
  if (magnitude<T>(a) == <T>0 || magnitude<T>(b) == <T>0) return signedZero<T>(sign);
  const e = exponent<T>(a) + exponent<T>(b);
  const ma = significand<T>(a);
  const mb = significand<T>(b);
  // The product of two significands in [1, 2) is in [1, 4): its leading one is bit 63 or 62.
  let m: u64;
  if (sizeof<T>() == 8) m = multiplyHigh(ma, mb) | u64(ma * mb != 0);
  else m = (ma >> 32) * (mb >> 32);
  if (m >> 63 != 0) return roundPack<T>(sign, e + 1, (m >> 1) | (m & 1), rm);
  return roundPack<T>(sign, e, m, rm);
}

function multiplySpecial<T extends number>(a: T, b: T, sign: u32): T {
  if (isNaN<T>(a) || isNaN<T>(b)) return nanResult<T>(a, b);
  if (magnitude<T>(a) == <T>0 || magnitude<T>(b) == <T>0) return invalid<T>();
  return signedInfinity<T>(sign);
}
