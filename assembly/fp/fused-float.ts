// Fused multiply-add in Wasm's binary64 operations, rounding to nearest even, after
// S. Boldo and G. Melquiond, "Emulation of a FMA and correctly rounded sums: proved
// algorithms using rounding to odd" (2008): the product as an exact pair (Dekker, with
// Veltkamp's splitting), the addend joined by two exact sums, the two low parts added
// with rounding to odd, and one last rounding.

/** Veltkamp's constant, 2^27 + 1. */
const SPLITTER: f64 = 134217729.0;

/**
 * `sum` is the nearest value to an exact sum, `error` what is missing. Gives the value
 * next to the exact sum, on either side, whose last bit is one; `sum` when exact.
 */
// @ts-ignore: decorator
@inline
export function roundToOdd(sum: f64, error: f64): f64 {
  const bits = reinterpret<u64>(sum);
  if (error == 0 || (bits & 1) != 0) return sum;
  // Away from zero by one unit if both have one sign, towards zero otherwise.
  return reinterpret<f64>(<i64>(bits ^ reinterpret<u64>(error)) < 0 ? bits - 1 : bits + 1);
}

/**
 * True where nothing below can overflow, underflow or be subnormal: a and b within
 * 2^-400..2^400, c within 2^-500..2^500. Products then have bits down to 2^-904.
 */
// @ts-ignore: decorator
@inline
export function canFuseInFloat(a: u64, b: u64, c: u64): bool {
  const ea = <u32>(a >> 52) & 0x7ff;
  const eb = <u32>(b >> 52) & 0x7ff;
  const ec = <u32>(c >> 52) & 0x7ff;
  return ea - 623 <= 800 && eb - 623 <= 800 && ec - 523 <= 1000;
}

/** a * b + c rounded once; may raise NX alone, which the caller knows to be set. */
export function fuseInFloat(a: u64, b: u64, c: u64): u64 {
  const x = reinterpret<f64>(a);
  const y = reinterpret<f64>(b);
  const z = reinterpret<f64>(c);

  let t = x * SPLITTER;
  const xh = t - (t - x);
  const xl = x - xh;
  t = y * SPLITTER;
  const yh = t - (t - y);
  const yl = y - yh;
  const ph = x * y;
  const pl = xh * yh - ph + xh * yl + xl * yh + xl * yl;

  const sh = z + pl;
  t = sh - z;
  const sl = z - (sh - t) + (pl - t);

  const high = ph + sh;
  t = high - ph;
  const low = ph - (high - t) + (sh - t);

  const sum = low + sl;
  t = sum - low;
  const error = low - (sum - t) + (sl - t);
  return reinterpret<u64>(high + roundToOdd(sum, error));
}
