// Which superpages something was cached of, so that a fence of one address elsewhere need not look for pieces of them. Of pages up to
// 2 MiB a map of bytes tells, by the lowest bits of their number; of larger ones 64 bits, by a hash of their GiB.

/** Bytes of a map. */
export const MAP_SIZE: u32 = 4096;

/** Notes a piece of the page of 2^sizeLog2 bytes, a superpage, that holds `va`. Returns bits to be added to those of larger pages. */
export function noteSuperpage(map: u32, va: u64, sizeLog2: u32): u64 {
  if (sizeLog2 > 30) return ~(<u64>0);
  if (sizeLog2 > 21) return bitOf(va);
  store<u8>(map + placeOf(va), 1);
  return 0;
}

/** May a piece of a superpage that holds `va` have been noted? */
export function maySuperpageHold(map: u32, bits: u64, va: u64): bool {
  return load<u8>(map + placeOf(va)) != 0 || (bits & bitOf(va)) != 0;
}

// @ts-ignore: decorator
@inline
function placeOf(va: u64): u32 {
  return (<u32>(va >> 21)) & (MAP_SIZE - 1);
}

// @ts-ignore: decorator
@inline
function bitOf(va: u64): u64 {
  return <u64>1 << (((va >> 30) * 0x9e37_79b9_7f4a_7c15) >> 58);
}
