// Addition of two values of a format, in integers, for every rounding mode
// (IEEE 754-2019, 5.4.1). Subtraction is addition with b's sign flipped.
import { Rm } from "./flags";
import {
  bias, exponentField, fractionBits, fractionMask, invalid, isFinite, isInfinite, isNaN, nanResult, signOf, signedZero,
  smallestNormal,
} from "./format";
import { roundPack, shiftRightJam } from "./round";

export function softAdd<T extends number>(a: T, b: T, rm: u32): T {
  if (!isFinite<T>(a) || !isFinite<T>(b)) return addSpecial<T>(a, b);
  const bias_ = bias<T>();
  const left = 62 - fractionBits<T>();
  // A subnormal number or a zero has the exponent field 1 without a leading one. If
  // bits of it are shifted out below, the other operand is normal and larger by 2^2
  // or more, so the leading one of the result stays at bit 61 or above.
  const fieldA = exponentField<T>(a);
  const fieldB = exponentField<T>(b);
  const ma = <u64>((a & fractionMask<T>()) | (fieldA != 0 ? smallestNormal<T>() : <T>0)) << left;
  const mb = <u64>((b & fractionMask<T>()) | (fieldB != 0 ? smallestNormal<T>() : <T>0)) << left;
  const ea = (fieldA != 0 ? fieldA : 1) - bias_;
  const eb = (fieldB != 0 ? fieldB : 1) - bias_;
  return addAligned<T>(signOf<T>(a), ea, ma, signOf<T>(b), eb, mb, rm);
}

function addSpecial<T extends number>(a: T, b: T): T {
  if (isNaN<T>(a) || isNaN<T>(b)) return nanResult<T>(a, b);
  if (isInfinite<T>(a) && isInfinite<T>(b) && a != b) return invalid<T>();
  return isInfinite<T>(a) ? a : b;
}

/**
 * Adds (-1)^s * m / 2^62 * 2^e of two values, both m below 2^63, and rounds once. Where
 * the alignment loses bits, the larger m must be at least 2^62 and hold zeros in its
 * low bits: then the sticky bit stays below the rounding point.
 */
export function addAligned<T extends number>(sa: u32, ea: i32, ma: u64, sb: u32, eb: i32, mb: u64, rm: u32): T {
  const distance = ea - eb;
  let e = ea;
  if (distance > 0) {
    mb = shiftRightJam(mb, distance);
  } else if (distance < 0) {
    ma = shiftRightJam(ma, -distance);
    e = eb;
  }
  let sign = sa;
  let m: u64;
  if (sa == sb) {
    m = ma + mb;
    if (m == 0) return signedZero<T>(sign);
    if (m >> 63 != 0) return roundPack<T>(sign, e + 1, (m >> 1) | (m & 1), rm);
  } else {
    if (ma == mb) return signedZero<T>(rm == <u32>Rm.RDN ? 1 : 0);
    if (ma > mb) {
      m = ma - mb;
    } else {
      m = mb - ma;
      sign = sb;
    }
  }
  const shift = <i32>clz<u64>(m) - 1;
  return roundPack<T>(sign, e - shift, m << <u64>shift, rm);
}
