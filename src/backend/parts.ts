// Bytes that lie in parts: frames, and what streams are given to send.

/** Copies `length` bytes that begin at `offset` of `parts`, which hold them, to `into` at `at`. */
export function copyOut(
  parts: readonly Uint8Array[],
  offset: number,
  length: number,
  into: Uint8Array,
  at: number,
): void {
  for (const part of parts) {
    if (length === 0) return;
    if (offset >= part.length) {
      offset -= part.length;
      continue;
    }
    const taken = Math.min(part.length - offset, length);
    into.set(taken === part.length ? part : part.subarray(offset, offset + taken), at);
    at += taken;
    length -= taken;
    offset = 0;
  }
}

/** The first `length` bytes of `parts` in one piece, which may be longer: as they lie, where the first part has them all. */
export function beginningOf(parts: readonly Uint8Array[], length: number): Uint8Array {
  if (parts[0].length >= length) return parts[0];
  const bytes = new Uint8Array(length);
  copyOut(parts, 0, length, bytes, 0);
  return bytes;
}
