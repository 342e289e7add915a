// The Internet checksum (RFC 1071): the ones' complement sum of 16-bit words.

const LITTLE_ENDIAN = new Uint8Array(new Uint16Array([1]).buffer)[0] === 1;

/** Sum of `bytes` as big-endian words, an odd last byte filled up with zero; added to `sum`. Not folded. */
export function addBytes(sum: number, bytes: Uint8Array): number {
  let at = 0;
  let end = bytes.length;
  if (end >= 64 && LITTLE_ENDIAN && (bytes.byteOffset & 1) === 0) {
    // The sum of words in the other order of bytes is the sum in the other order: add up
    // by what the machine loads at once, and swap at the end.
    if ((bytes.byteOffset & 3) !== 0) {
      sum += (bytes[0] << 8) | bytes[1];
      at = 2;
    }
    const words = new Uint32Array(bytes.buffer, bytes.byteOffset + at, (end - at) >> 2);
    let low = 0;
    let high = 0;
    for (let i = 0; i < words.length; i++) {
      const word = words[i];
      low += word & 0xffff;
      high += word >>> 16;
    }
    const folded = fold(low + high);
    sum += ((folded & 0xff) << 8) | (folded >> 8);
    at += words.length * 4;
  }
  if ((end & 1) !== 0) {
    end--;
    sum += bytes[end] << 8;
  }
  for (; at < end; at += 2) sum += (bytes[at] << 8) | bytes[at + 1];
  return sum;
}

/** The sum in 16 bits. */
export function fold(sum: number): number {
  while (sum > 0xffff) sum = Math.floor(sum / 0x1_0000) + (sum % 0x1_0000);
  return sum;
}

/** The checksum that goes into a header for this sum. */
export function checksumOf(sum: number): number {
  return ~fold(sum) & 0xffff;
}

export function putWord(bytes: Uint8Array, at: number, word: number): void {
  bytes[at] = word >> 8;
  bytes[at + 1] = word & 0xff;
}
