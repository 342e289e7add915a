// Bytes that lie in several places of guest memory, as devices hand them over: the pieces of
// a message in order. Views of the guest's memory, of use during one call.

export class Pieces {
  readonly pieces: readonly Uint8Array[];
  readonly length: number;

  constructor(pieces: readonly Uint8Array[]) {
    this.pieces = pieces;
    this.length = pieces.reduce((sum, { length }) => sum + length, 0);
  }

  /** A list {address u32, length u32} at `at` in `memory`. */
  static list(memory: Uint8Array, view: DataView, at: number, count: number): Pieces {
    const pieces: Uint8Array[] = [];
    for (let i = 0; i < count; i++) {
      const address = view.getUint32(at + 8 * i, true);
      pieces.push(memory.subarray(address, address + view.getUint32(at + 8 * i + 4, true)));
    }
    return new Pieces(pieces);
  }

  /** Views of up to `length` bytes at `offset`. */
  slice(offset: number, length: number): Uint8Array[] {
    const found: Uint8Array[] = [];
    let skip = offset;
    let left = length;
    for (const piece of this.pieces) {
      if (left <= 0) break;
      if (skip >= piece.length) {
        skip -= piece.length;
        continue;
      }
      const view = piece.subarray(skip, skip + left);
      skip = 0;
      left -= view.length;
      found.push(view);
    }
    return found;
  }

  /** A copy of up to `length` bytes at `offset`. */
  copy(offset: number, length: number): Uint8Array<ArrayBuffer> {
    const bytes = new Uint8Array(Math.max(0, Math.min(length, this.length - offset)));
    let at = 0;
    for (const view of this.slice(offset, bytes.length)) {
      bytes.set(view, at);
      at += view.length;
    }
    return bytes;
  }

  /** Puts `bytes` at `offset`, as many as there is room for. */
  put(offset: number, bytes: Uint8Array): void {
    let at = 0;
    for (const view of this.slice(offset, bytes.length)) {
      view.set(bytes.subarray(at, at + view.length));
      at += view.length;
    }
  }
}
