// Takes modules apart and puts them together again: one function of many (WebAssembly Core
// Specification 2.0, 5.5). It knows modules of ours alone, whose sections are in this order.

const enum Section {
  TYPE = 1,
  IMPORT = 2,
  FUNCTION = 3,
  CODE = 10,
}

const HEADER_SIZE = 8;

/** An unsigned number in LEB128 at `at`, and where it ends. */
function unsignedAt(bytes: Uint8Array, at: number): { value: number; end: number } {
  let value = 0;
  for (let shift = 0; ; shift += 7) {
    const byte = bytes[at++];
    value |= (byte & 0x7f) << shift;
    if (byte < 0x80) return { value: value >>> 0, end: at };
  }
}

function unsigned(value: number): number[] {
  return value < 0x80 ? [value] : [(value & 0x7f) | 0x80, ...unsigned(value >>> 7)];
}

/** The bytes of function `n`'s body, with its size before it. */
function bodyOf(code: Uint8Array, n: number): Uint8Array {
  let at = unsignedAt(code, 0).end;
  for (; ; n--) {
    const { value, end } = unsignedAt(code, at);
    if (n === 0) return code.subarray(at, end + value);
    at = end + value;
  }
}

/** A module with the types and imports of `module` and its function `n` alone. */
export function functionModule(module: Uint8Array, n: number): Uint8Array<ArrayBuffer> {
  const parts: Uint8Array[] = [module.subarray(0, HEADER_SIZE)];
  for (let at = HEADER_SIZE; at < module.length; ) {
    const id = module[at];
    const { value, end } = unsignedAt(module, at + 1);
    if (id === Section.TYPE || id === Section.IMPORT) parts.push(module.subarray(at, end + value));
    // All functions have type 0.
    if (id === Section.FUNCTION) parts.push(Uint8Array.of(id, 2, 1, 0));
    if (id === Section.CODE) {
      const body = bodyOf(module.subarray(end, end + value), n);
      parts.push(Uint8Array.from([id, ...unsigned(body.length + 1), 1]), body);
    }
    at = end + value;
  }
  const result = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    result.set(part, at);
    at += part.length;
  }
  return result;
}
