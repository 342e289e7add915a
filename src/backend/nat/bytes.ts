// Numbers in network byte order, and bytes that lie in pieces.
import { addBytes, fold } from "../checksum.ts";

export function get16(bytes: Uint8Array, at: number): number {
  return (bytes[at] << 8) | bytes[at + 1];
}

export function get32(bytes: Uint8Array, at: number): number {
  return ((bytes[at] << 24) | (bytes[at + 1] << 16) | (bytes[at + 2] << 8) | bytes[at + 3]) >>> 0;
}

export function put16(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value >>> 8;
  bytes[at + 1] = value;
}

export function put32(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value >>> 24;
  bytes[at + 1] = value >>> 16;
  bytes[at + 2] = value >>> 8;
  bytes[at + 3] = value;
}

/** The ones' complement sum, folded, of `length` bytes that begin at `offset` of `parts`. */
export function sumParts(parts: readonly Uint8Array[], offset: number, length: number): number {
  let sum = 0;
  let isOdd = false;
  for (const part of parts) {
    if (length === 0) break;
    if (offset >= part.length) {
      offset -= part.length;
      continue;
    }
    const taken = Math.min(part.length - offset, length);
    const own = fold(addBytes(0, part.subarray(offset, offset + taken)));
    // Bytes after an odd number of others are the other halves of their words.
    sum += isOdd ? ((own & 0xff) << 8) | (own >> 8) : own;
    if ((taken & 1) !== 0) isOdd = !isOdd;
    length -= taken;
    offset = 0;
  }
  return fold(sum);
}
