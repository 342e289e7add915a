// Rounding to a format (IEEE 754-2019, 4.3 and 7.4-7.6). RISC-V's choices: tininess is
// detected after rounding, as if the exponent had no lower bound, and underflow is
// raised only when the result is inexact too.
import { Flag, Rm, raise } from "./flags";
import { bias, fractionBits, signedInfinity, signedZero } from "./format";

/** m / 2^n with every bit that falls off kept as a "sticky" one in bit 0. n >= 0. */
// @ts-ignore: decorator
@inline
export function shiftRightJam(m: u64, n: i32): u64 {
  if (n > 63) return u64(m != 0);
  return (m >> <u64>n) | u64((m & (((<u64>1) << <u64>n) - 1)) != 0);
}

/**
 * Rounds (-1)^sign * m / 2^62 * 2^exponent, with m's leading one at bit 62 and bit 0
 * sticky, to the format T. A smaller m is allowed where the result is far below the
 * smallest normal number. m is not 0.
 */
export function roundPack<T extends number>(sign: u32, exponent: i32, m: u64, rm: u32): T {
  const extra: u64 = 62 - <u64>fractionBits<T>();
  const half: u64 = (<u64>1) << (extra - 1);
  const mask: u64 = (half << 1) - 1;
  const top = 2 * bias<T>();

  let increment = half;
  if (rm != <u32>Rm.RNE && rm != <u32>Rm.RMM) {
    const away = rm == <u32>Rm.RDN ? sign : rm == <u32>Rm.RUP ? sign ^ 1 : 0;
    increment = away != 0 ? mask : 0;
  }

  let field = exponent + bias<T>();
  let tiny = false;
  if (<u32>(field - 1) >= <u32>(top - 1)) {
    const carries = (m + increment) >> 63 != 0;
    if (field >= top) {
      if (field > top || carries) {
        raise(Flag.OF | Flag.NX);
        // Infinity, or the largest finite number just below it.
        return <T>(signedInfinity<T>(sign) - <T>u32(increment == 0));
      }
    } else {
      tiny = field < 0 || !carries;
      m = shiftRightJam(m, 1 - field);
      field = 1;
    }
  }

  const rest = m & mask;
  m = (m + increment) >> extra;
  if (rest != 0) {
    raise(tiny ? Flag.UF | Flag.NX : Flag.NX);
    if (rest == half && rm == <u32>Rm.RNE) m &= ~1;
  }
  // The leading one adds itself to the exponent field, as does a carry out of rounding.
  const place = <T>fractionBits<T>();
  return <T>(signedZero<T>(sign) + (<T>(field - 1) << place) + <T>m);
}
