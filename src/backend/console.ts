// The host's half of the consoles: output collected between slices, so that a device which
// puts out one byte at a time does not cost one callback a byte; input queued until the
// guest takes it.

const FIRST_CAPACITY = 4096;

/** Collects a port's output until it is taken. */
export class OutputBuffer {
  #bytes = new Uint8Array(FIRST_CAPACITY);
  #length = 0;

  get length(): number {
    return this.#length;
  }

  push(chunk: Uint8Array): void {
    const needed = this.#length + chunk.length;
    if (needed > this.#bytes.length) {
      const larger = new Uint8Array(Math.max(needed, this.#bytes.length * 2));
      larger.set(this.#bytes.subarray(0, this.#length));
      this.#bytes = larger;
    }
    this.#bytes.set(chunk, this.#length);
    this.#length = needed;
  }

  /** Everything collected since the last call, as an array of its own. */
  take(): Uint8Array<ArrayBuffer> {
    const taken = this.#bytes.slice(0, this.#length);
    this.#length = 0;
    return taken;
  }
}

/** Bytes for one port that the guest has not taken yet. */
export class InputQueue {
  #chunks: Uint8Array[] = [];
  #offset = 0;

  get isEmpty(): boolean {
    return this.#chunks.length === 0;
  }

  push(bytes: Uint8Array): void {
    if (bytes.length > 0) this.#chunks.push(bytes.slice());
  }

  /** Up to `limit` bytes from the front, without taking them. */
  peek(limit: number): Uint8Array {
    return this.#chunks[0].subarray(this.#offset, this.#offset + limit);
  }

  /** Takes `count` bytes, at most what the last peek showed. */
  drop(count: number): void {
    this.#offset += count;
    if (this.#offset >= this.#chunks[0].length) {
      this.#chunks.shift();
      this.#offset = 0;
    }
  }
}
