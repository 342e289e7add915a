// Searching in bytes that nobody vouches for.

const encoder = new TextEncoder();
const decoder = new TextDecoder("latin1");

/** Where `text` first is from `from` on, or -1. */
export function findText(bytes: Uint8Array, text: string, from = 0): number {
  const wanted = encoder.encode(text);
  for (let at = bytes.indexOf(wanted[0], from); at >= 0; at = bytes.indexOf(wanted[0], at + 1)) {
    let i = 1;
    while (i < wanted.length && bytes[at + i] === wanted[i]) i++;
    if (i === wanted.length) return at;
  }
  return -1;
}

/** Whether `text` is there as a string of its own, a zero in front and behind. */
export function hasString(bytes: Uint8Array, text: string): boolean {
  for (let at = findText(bytes, text); at >= 0; at = findText(bytes, text, at + 1)) {
    if (bytes[at + text.length] === 0 && (at === 0 || bytes[at - 1] === 0)) return true;
  }
  return false;
}

/** The string at `at`, to its zero or to `most` bytes. */
export function stringAt(bytes: Uint8Array, at: number, most: number): string {
  const piece = bytes.subarray(at, at + most);
  const end = piece.indexOf(0);
  return decoder.decode(end < 0 ? piece : piece.subarray(0, end));
}

/** A view in which words lie as in `bytes`: a copy, if they do not begin at a multiple of 8. */
export function alignedView(bytes: Uint8Array): Uint8Array {
  return bytes.byteOffset % 8 === 0 ? bytes : bytes.slice();
}
