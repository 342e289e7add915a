// Fused multiply-add in integers: a * b + c rounded once, for every rounding mode
// (IEEE 754-2019, 5.4.1; RISC-V raises NV for infinity * zero even when c is a quiet
// NaN). The negated and subtracting forms flip signs of a and c before the call.
import { Flag, Rm, raise } from "./flags";
import {
  exponent, invalid, isFinite, isInfinite, isNaN, isSignaling, magnitude, nanResult, signOf, signedInfinity, signedZero,
  significand, canonicalNaN,
} from "./format";
import { softAdd, addAligned } from "./add";
import { multiplyHigh, softMultiply } from "./multiply";
import { roundPack } from "./round";

export function softFused<T extends number>(a: T, b: T, c: T, rm: u32): T {
  if (!isFinite<T>(a) || !isFinite<T>(b) || !isFinite<T>(c)) return fusedSpecial<T>(a, b, c);
  const sp = signOf<T>(a) ^ signOf<T>(b);
  const sc = signOf<T>(c);
  if (magnitude<T>(a) == <T>0 || magnitude<T>(b) == <T>0) return softAdd<T>(signedZero<T>(sp), c, rm);
  if (magnitude<T>(c) == <T>0) return softMultiply<T>(a, b, rm);
  const ep = exponent<T>(a) + exponent<T>(b);
  const ec = exponent<T>(c);
  const ma = significand<T>(a);
  const mb = significand<T>(b);
  const mc = significand<T>(c) >> 1;
  // Product and addend are normalised and their last bits are zeros. When the exponents
  // differ by two or more, at most one leading bit cancels; when by less, alignment
  // loses nothing. So a sticky bit never moves up to the rounding point.
  if (sizeof<T>() == 8) {
    return addWide<T>(sp, ep, multiplyHigh(ma, mb), ma * mb, sc, ec, mc, rm);
  } else {
    const p = (ma >> 32) * (mb >> 32);
    const carry = <i32>(p >> 63);
    return addAligned<T>(sp, ep + carry, p >> <u64>carry, sc, ec, mc, rm);
  }
}

function fusedSpecial<T extends number>(a: T, b: T, c: T): T {
  const invalidProduct =
    (isInfinite<T>(a) && magnitude<T>(b) == <T>0) || (isInfinite<T>(b) && magnitude<T>(a) == <T>0);
  if (invalidProduct || isSignaling<T>(c)) raise(Flag.NV);
  if (isNaN<T>(a) || isNaN<T>(b) || isNaN<T>(c)) return nanResult<T>(a, b);
  if (invalidProduct) return canonicalNaN<T>();
  const sp = signOf<T>(a) ^ signOf<T>(b);
  if (isFinite<T>(a) && isFinite<T>(b)) return c;
  if (isInfinite<T>(c) && signOf<T>(c) != sp) return invalid<T>();
  return signedInfinity<T>(sp);
}

/** The low word of hi:lo / 2^n, sticky; the high word is `shiftHigh`. n >= 0, hi != 0. */
// @ts-ignore: decorator
@inline
function shiftLowJam(hi: u64, lo: u64, n: i32): u64 {
  if (n == 0) return lo;
  if (n < 64) return (hi << <u64>(64 - n)) | (lo >> <u64>n) | u64(lo << <u64>(64 - n) != 0);
  if (n == 64) return hi | u64(lo != 0);
  // The other operand's low word matters too, so every bit counts that might carry.
  if (n < 128) return (hi >> <u64>(n - 64)) | u64(((hi << <u64>(128 - n)) | lo) != 0);
  return 1;
}

// @ts-ignore: decorator
@inline
function shiftHigh(hi: u64, n: i32): u64 {
  return n < 64 ? hi >> <u64>n : 0;
}

/** The exact product hi:lo (leading one at bit 127 or 126) plus mc (bit 62, so 126 as a pair). */
function addWide<T extends number>(
  sp: u32, ep: i32, hi: u64, lo: u64, sc: u32, ec: i32, mc: u64, rm: u32,
): T {
  if (hi >> 63 != 0) {
    lo = (hi << 63) | (lo >> 1);
    hi >>= 1;
    ep++;
  }
  const distance = ep - ec;
  let e = ep;
  let cHi = mc;
  let cLo: u64 = 0;
  if (distance > 0) {
    cLo = shiftLowJam(mc, 0, distance);
    cHi = shiftHigh(mc, distance);
  } else if (distance < 0) {
    lo = shiftLowJam(hi, lo, -distance);
    hi = shiftHigh(hi, -distance);
    e = ec;
  }
  let sign = sp;
  let zHi: u64;
  let zLo: u64;
  if (sp == sc) {
    zLo = lo + cLo;
    zHi = hi + cHi + u64(zLo < lo);
    if (zHi >> 63 != 0) return roundPack<T>(sign, e + 1, (zHi >> 1) | u64(((zHi & 1) | zLo) != 0), rm);
    return roundPack<T>(sign, e, zHi | u64(zLo != 0), rm);
  }
  if (hi > cHi || (hi == cHi && lo >= cLo)) {
    zLo = lo - cLo;
    zHi = hi - cHi - u64(lo < cLo);
  } else {
    zLo = cLo - lo;
    zHi = cHi - hi - u64(cLo < lo);
    sign = sc;
  }
  if (zHi == 0) {
    if (zLo == 0) return signedZero<T>(rm == <u32>Rm.RDN ? 1 : 0);
    zHi = zLo;
    zLo = 0;
    e -= 64;
  }
  const lead = <i32>clz<u64>(zHi);
  if (lead == 0) return roundPack<T>(sign, e + 1, (zHi >> 1) | (zHi & 1), rm);
  const shift = lead - 1;
  if (shift > 0) {
    zHi = (zHi << <u64>shift) | (zLo >> <u64>(64 - shift));
    zLo <<= <u64>shift;
  }
  return roundPack<T>(sign, e - shift, zHi | u64(zLo != 0), rm);
}
