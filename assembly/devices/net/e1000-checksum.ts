// The Internet checksum (RFC 1071) over frames in pieces: {count u32, reserved u32}, then
// {address u32, length u32} a piece, as they cross the border to the host (pieces.ts). A
// sum is of 16-bit words as they lie in memory, low byte first: the order of bytes does not
// matter to it, as long as a word that straddles two pieces is put together right.

/** Sum of `length` bytes, 16 bits. The last byte of an odd length counts as if a zero followed. */
export function sumBytes(at: usize, length: u32): u32 {
  let sum: u64 = 0;
  while (length >= 32) {
    const a = load<u64>(at);
    const b = load<u64>(at, 8);
    const c = load<u64>(at, 16);
    const d = load<u64>(at, 24);
    sum += (a & 0xffff_ffff) + (a >> 32) + (b & 0xffff_ffff) + (b >> 32);
    sum += (c & 0xffff_ffff) + (c >> 32) + (d & 0xffff_ffff) + (d >> 32);
    at += 32;
    length -= 32;
  }
  while (length >= 4) {
    sum += load<u32>(at);
    at += 4;
    length -= 4;
  }
  if (length >= 2) {
    sum += load<u16>(at);
    at += 2;
    length -= 2;
  }
  if (length != 0) sum += load<u8>(at);
  return fold(sum);
}

/** A sum as 16 bits, carries brought round. */
export function fold(sum: u64): u32 {
  sum = (sum & 0xffff_ffff) + (sum >> 32);
  let low = <u32>sum;
  low = (low & 0xffff) + (low >> 16) + <u32>(sum >> 32);
  low = (low & 0xffff) + (low >> 16);
  return (low & 0xffff) + (low >> 16);
}

/** What a sum is from an odd place on. */
// @ts-ignore: decorator
@inline
export function swap16(sum: u32): u32 {
  return ((sum & 0xff) << 8) | (sum >> 8);
}

/** Sum of the frame's bytes `from` to `to`, the latter not included; what lies past its end counts as zeros. */
export function sumRange(list: usize, from: u32, to: u32): u32 {
  let sum: u64 = 0;
  let start: u32 = 0;
  const end = list + 8 + (<usize>load<u32>(list) << 3);
  for (let at = list + 8; at < end && start < to; at += 8) {
    const length = load<u32>(at, 4);
    const first = max(start, from);
    const last = min(start + length, to);
    if (first < last) {
      const part = sumBytes(<usize>load<u32>(at) + (first - start), last - first);
      sum += ((first - from) & 1) != 0 ? swap16(part) : part;
    }
    start += length;
  }
  return fold(sum);
}

/** Address of byte `offset` of the frame, 0 if it has none. */
export function byteAt(list: usize, offset: u32): usize {
  const end = list + 8 + (<usize>load<u32>(list) << 3);
  for (let at = list + 8; at < end; at += 8) {
    const length = load<u32>(at, 4);
    if (offset < length) return <usize>load<u32>(at) + offset;
    offset -= length;
  }
  return 0;
}
