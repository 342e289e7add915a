// Conversions (IEEE 754-2019, 5.4.1 and 5.8; RISC-V "F" extension, table of valid
// inputs and results). To an integer: a value that rounds outside the range, an
// infinity or a NaN raises NV alone and gives the nearest bound, NaN the upper one.
// 32-bit results, unsigned ones too, come sign-extended to 64 bits.
import { Flag, Rm, raise } from "./flags";
import {
  bias, canonicalNaN, exponentField, fractionBits, fractionMask, isFinite, isNaN, isSignaling, magnitude, signOf,
  signedInfinity, signedZero, smallestNormal,
} from "./format";
import { roundPack, shiftRightJam } from "./round";

/** Rounds a to an integer from the range -negative..positive, both as magnitudes. */
function toInteger<T extends number>(a: T, negative: u64, positive: u64, rm: u32): i64 {
  const sign = signOf<T>(a);
  if (isNaN<T>(a)) return outOfRange(0, negative, positive);
  const field = exponentField<T>(a);
  let whole = <u64>((a & fractionMask<T>()) | (field != 0 ? smallestNormal<T>() : <T>0));
  // The place value of the significand's last bit is 2^shift.
  const shift = (field != 0 ? field : 1) - bias<T>() - fractionBits<T>();
  let rest: u64 = 0;
  if (shift > 63 - fractionBits<T>()) return outOfRange(sign, negative, positive);
  if (shift >= 0) {
    whole <<= <u64>shift;
  } else {
    // The fraction that falls off, as a part of 2^64; under 2^-10 all are alike.
    if (shift > -64) {
      rest = whole << <u64>(64 + shift);
      whole >>= <u64>-shift;
    } else {
      rest = u64(whole != 0);
      whole = 0;
    }
    whole += u64(roundsUp(sign, whole, rest, rm));
  }
  if (whole > (sign != 0 ? negative : positive)) return outOfRange(sign, negative, positive);
  if (rest != 0) raise(Flag.NX);
  return sign != 0 ? -(<i64>whole) : <i64>whole;
}

function roundsUp(sign: u32, whole: u64, rest: u64, rm: u32): bool {
  const half: u64 = 0x8000000000000000;
  if (rm == <u32>Rm.RNE) return rest > half || (rest == half && (whole & 1) != 0);
  if (rm == <u32>Rm.RMM) return rest >= half;
  if (rm == <u32>Rm.RDN) return sign != 0 && rest != 0;
  if (rm == <u32>Rm.RUP) return sign == 0 && rest != 0;
  return false;
}

function outOfRange(sign: u32, negative: u64, positive: u64): i64 {
  raise(Flag.NV);
  return sign != 0 ? -(<i64>negative) : <i64>positive;
}

export function toI32<T extends number>(a: T, rm: u32): i64 {
  return toInteger<T>(a, 0x80000000, 0x7fffffff, rm);
}

export function toU32<T extends number>(a: T, rm: u32): i64 {
  return <i64>(<i32>toInteger<T>(a, 0, 0xffffffff, rm));
}

export function toI64<T extends number>(a: T, rm: u32): i64 {
  return toInteger<T>(a, 0x8000000000000000, 0x7fffffffffffffff, rm);
}

export function toU64<T extends number>(a: T, rm: u32): i64 {
  return toInteger<T>(a, 0, 0xffffffffffffffff, rm);
}

/** Rounds (-1)^sign * value, an integer, to the format T. */
export function fromInteger<T extends number>(sign: u32, value: u64, rm: u32): T {
  if (value == 0) return signedZero<T>(0);
  const lead = <i32>clz<u64>(value);
  const m = value << <u64>lead;
  return roundPack<T>(sign, 63 - lead, (m >> 1) | (m & 1), rm);
}

export function fromI64<T extends number>(value: i64, rm: u32): T {
  return value < 0 ? fromInteger<T>(1, <u64>-value, rm) : fromInteger<T>(0, <u64>value, rm);
}

export function narrow(a: u64, rm: u32): u32 {
  const sign = signOf<u64>(a);
  if (!isFinite<u64>(a)) {
    if (!isNaN<u64>(a)) return signedInfinity<u32>(sign);
    if (isSignaling<u64>(a)) raise(Flag.NV);
    return canonicalNaN<u32>();
  }
  if (magnitude<u64>(a) == 0) return signedZero<u32>(sign);
  const field = exponentField<u64>(a);
  const fraction = a & fractionMask<u64>();
  // A subnormal binary64 is so far below binary32 that only its being there counts.
  const m = field != 0 ? (fraction | smallestNormal<u64>()) << 10 : shiftRightJam(fraction, 1);
  return roundPack<u32>(sign, field - bias<u64>(), m, rm);
}

/** Exact for every number, so no rounding mode. */
export function widen(a: u32): u64 {
  if (isNaN<u32>(a)) {
    if (isSignaling<u32>(a)) raise(Flag.NV);
    return canonicalNaN<u64>();
  }
  return reinterpret<u64>(<f64>reinterpret<f32>(a));
}
