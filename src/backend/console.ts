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

interface Chunk {
  bytes: Uint8Array;
  taken?: () => void;
}

/** Bytes for one port that the guest has not taken yet. */
export class InputQueue {
  #chunks: Chunk[] = [];
  #offset = 0;

  get isEmpty(): boolean {
    return this.#chunks.length === 0;
  }

  /** `taken` is called when the last of the bytes has left the queue. */
  push(bytes: Uint8Array, taken?: () => void): void {
    if (bytes.length > 0) this.#chunks.push({ bytes: bytes.slice(), taken });
    else taken?.();
  }

  /** Up to `limit` bytes from the front, without taking them. */
  peek(limit: number): Uint8Array {
    return this.#chunks[0].bytes.subarray(this.#offset, this.#offset + limit);
  }

  /** Takes `count` bytes, at most what the last peek showed. */
  drop(count: number): void {
    this.#offset += count;
    if (this.#offset < this.#chunks[0].bytes.length) return;
    const [{ taken }] = this.#chunks.splice(0, 1);
    this.#offset = 0;
    taken?.();
  }

  /** Nobody will take what is left. */
  clear(): void {
    const chunks = this.#chunks;
    this.#chunks = [];
    this.#offset = 0;
    for (const { taken } of chunks) taken?.();
  }
}
