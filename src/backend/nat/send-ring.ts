// Bytes from the host's side of a connection on their way to the guest: kept until the guest
// has acknowledged them. The transport reads straight into it.

const FIRST_SIZE = 64 * 1024;
const LARGEST_SIZE = 1024 * 1024;
/** Room that is left when the transport is told to pause: it holds a place for its next read already. */
const RESERVE = 4096;

/** Memory by which all rings of one NAT may grow together. */
export class RingBudget {
  #left: number;

  constructor(bytes: number) {
    this.#left = bytes;
  }

  take(bytes: number): boolean {
    if (bytes > this.#left) return false;
    this.#left -= bytes;
    return true;
  }

  giveBack(bytes: number): void {
    this.#left += bytes;
  }
}

export class SendRing {
  readonly #budget: RingBudget;
  #bytes: Uint8Array = new Uint8Array(0);
  #start = 0;
  #length = 0;

  constructor(budget: RingBudget) {
    this.#budget = budget;
  }

  /** Bytes in it. */
  get length(): number {
    return this.#length;
  }

  /** Bytes that it takes without growing. */
  get free(): number {
    return this.#bytes.length - this.#length;
  }

  /** After a read: grows if it may, and says whether the transport is to stop, since what is free is its next read's. */
  isFull(): boolean {
    if (this.#length * 2 >= this.#bytes.length) this.#grow();
    return this.free <= RESERVE;
  }

  /** True if it is worth reading again. */
  get hasRoom(): boolean {
    return this.free * 2 >= this.#bytes.length;
  }

  /** Room in one piece, for a read; filled() says how much of it was used. Empty if there is none at all. */
  space(): Uint8Array {
    if (this.#length * 2 >= this.#bytes.length) this.#grow();
    const size = this.#bytes.length;
    let at = this.#start + this.#length;
    if (at >= size) at -= size;
    const free = this.free;
    const most = free > RESERVE ? free - RESERVE : free;
    return this.#bytes.subarray(at, at + Math.min(most, size - at));
  }

  filled(length: number): void {
    this.#length += length;
  }

  /** Copies as much of `bytes` as there is room for; the number of bytes copied. */
  write(bytes: Uint8Array): number {
    let at = 0;
    while (at < bytes.length) {
      const space = this.space();
      if (space.length === 0) break;
      const taken = Math.min(space.length, bytes.length - at);
      space.set(taken === bytes.length ? bytes : bytes.subarray(at, at + taken));
      this.#length += taken;
      at += taken;
    }
    return at;
  }

  /** Adds `length` bytes that begin at `offset` to `parts`, in one or two pieces. */
  view(offset: number, length: number, parts: Uint8Array[]): void {
    const size = this.#bytes.length;
    let at = this.#start + offset;
    if (at >= size) at -= size;
    const first = Math.min(length, size - at);
    parts.push(this.#bytes.subarray(at, at + first));
    if (first < length) parts.push(this.#bytes.subarray(0, length - first));
  }

  /** Forgets the first `length` bytes. */
  drop(length: number): void {
    this.#start += length;
    if (this.#start >= this.#bytes.length) this.#start -= this.#bytes.length;
    this.#length -= length;
  }

  release(): void {
    this.#budget.giveBack(Math.max(this.#bytes.length - FIRST_SIZE, 0));
    this.#bytes = new Uint8Array(0);
    this.#start = this.#length = 0;
  }

  /** Twice as large, if it may be. */
  #grow(): void {
    const old = this.#bytes;
    const size = Math.max(old.length * 2, FIRST_SIZE);
    if (size > LARGEST_SIZE || (old.length > 0 && !this.#budget.take(old.length))) return;
    const parts: Uint8Array[] = [];
    if (this.#length > 0) this.view(0, this.#length, parts);
    this.#bytes = new Uint8Array(size);
    let at = 0;
    for (const part of parts) {
      this.#bytes.set(part, at);
      at += part.length;
    }
    this.#start = 0;
  }
}
