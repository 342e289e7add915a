// Integer operations that Wasm has no single instruction for.

/** High 64 bits of the unsigned product, from four 32-bit ones. */
export function mulHighU(a: i64, b: i64): i64 {
  const al = <u64>a & 0xffffffff, ah = <u64>a >> 32;
  const bl = <u64>b & 0xffffffff, bh = <u64>b >> 32;
  const t = ah * bl + ((al * bl) >> 32);
  return ah * bh + (t >> 32) + ((al * bh + (t & 0xffffffff)) >> 32);
}

export function mulHigh(a: i64, b: i64): i64 {
  const al = a & 0xffffffff, ah = a >> 32;
  const bl = b & 0xffffffff, bh = b >> 32;
  const t = ah * bl + <i64>((<u64>(al * bl)) >> 32);
  return ah * bh + (t >> 32) + ((al * bh + (t & 0xffffffff)) >> 32);
}

export function mulHighSU(a: i64, b: i64): i64 {
  return mulHighU(a, b) - ((a >> 63) & b);
}

export function divS(a: i64, b: i64): i64 {
  if (b == 0) return -1;
  return b == -1 ? 0 - a : a / b;
}

export function divU(a: i64, b: i64): i64 {
  return b == 0 ? -1 : <i64>(<u64>a / <u64>b);
}

export function remS(a: i64, b: i64): i64 {
  if (b == 0) return a;
  return b == -1 ? 0 : a % b;
}

export function remU(a: i64, b: i64): i64 {
  return b == 0 ? a : <i64>(<u64>a % <u64>b);
}

export function divS32(a: i64, b: i64): i64 {
  return <i64>(<i32>divS(<i64>(<i32>a), <i64>(<i32>b)));
}

export function divU32(a: i64, b: i64): i64 {
  return <u32>b == 0 ? -1 : <i64>(<i32>(<u32>a / <u32>b));
}

export function remS32(a: i64, b: i64): i64 {
  return <i64>(<i32>remS(<i64>(<i32>a), <i64>(<i32>b)));
}

export function remU32(a: i64, b: i64): i64 {
  return <u32>b == 0 ? <i64>(<i32>a) : <i64>(<i32>(<u32>a % <u32>b));
}

/** orc.b: every byte becomes all ones unless it was zero. */
export function orCombineBytes(a: i64): i64 {
  const low: u64 = 0x7f7f7f7f7f7f7f7f;
  const any = (((<u64>a & low) + low) | <u64>a) & ~low;
  return <i64>((any >> 7) * 0xff);
}
