// Cuts out of a stream of bytes what lies between a start and an end mark, as it comes:
// only a tail that may be the beginning of the mark is held back. Both marks begin with
// a NUL and have no other.

/** Length of the beginning of `mark` that `bytes` has at `at`: all of it, or up to the end of `bytes`; else 0. */
function matchAt(bytes: Uint8Array, at: number, mark: Uint8Array): number {
  const length = Math.min(mark.length, bytes.length - at);
  for (let i = 0; i < length; i++) if (bytes[at + i] !== mark[i]) return 0;
  return length;
}

/** Where `mark`, or a beginning of it that `bytes` ends with, lies. */
function find(bytes: Uint8Array, mark: Uint8Array): { at: number; whole: boolean } {
  for (let at = bytes.indexOf(0); at !== -1; at = bytes.indexOf(0, at + 1)) {
    const length = matchAt(bytes, at, mark);
    if (length > 0) return { at, whole: length === mark.length };
  }
  return { at: bytes.length, whole: false };
}

export class MarkedStream {
  readonly #marks: Uint8Array[];
  readonly #emit: (bytes: Uint8Array) => void;
  #held: Uint8Array = new Uint8Array(0);

  /** @param emit gets bytes of its own, in order, never none. */
  constructor(start: string, end: string, emit: (bytes: Uint8Array) => void) {
    this.#marks = [start, end].map((mark) => new TextEncoder().encode(mark));
    this.#emit = emit;
  }

  /** Whether the end mark has come. */
  get ended(): boolean {
    return this.#marks.length === 0;
  }

  /** Takes the next bytes of the stream; they may be overwritten afterwards. */
  feed(bytes: Uint8Array): void {
    let rest = new Uint8Array(this.#held.length + bytes.length);
    rest.set(this.#held);
    rest.set(bytes, this.#held.length);
    this.#held = new Uint8Array(0);
    while (this.#marks.length > 0) {
      const { at, whole } = find(rest, this.#marks[0]);
      const inside = this.#marks.length === 1;
      if (inside && at > 0) this.#emit(rest.subarray(0, at));
      if (!whole) {
        this.#held = rest.subarray(at);
        return;
      }
      rest = rest.subarray(at + this.#marks[0].length);
      this.#marks.shift();
    }
  }
}
