// A stream's bytes on their way to the guest: in a ring until they are acknowledged. While it
// is full the stream is paused.
import { type RingBudget, SendRing } from "./send-ring.ts";
import type { NatStream } from "./transport.ts";

/** Bytes of a stream that goes on although it was paused, after which it is no use. */
const MOST_UNASKED = 16 * 1024 * 1024;

export class Inflow {
  readonly ring: SendRing;
  /** Where the bytes come from. */
  stream: NatStream | undefined;
  /** A chunk that did not fit into the ring: the stream is paused until it does. */
  #chunk: Uint8Array | undefined;
  #isPaused = false;

  constructor(budget: RingBudget) {
    this.ring = new SendRing(budget);
  }

  /** Is everything that came in the ring? */
  get isWhole(): boolean {
    return this.#chunk === undefined;
  }

  /** The transport has read into the ring's space. */
  filled(length: number): void {
    this.ring.filled(length);
    if (this.ring.isFull()) this.#pause();
  }

  /** Copies bytes. False: the stream sends without end. */
  take(bytes: Uint8Array): boolean {
    const waiting = this.#chunk;
    if (waiting !== undefined) {
      if (waiting.length + bytes.length > MOST_UNASKED) return false;
      const both = new Uint8Array(waiting.length + bytes.length);
      both.set(waiting);
      both.set(bytes, waiting.length);
      this.#chunk = both;
      return true;
    }
    const taken = this.ring.write(bytes);
    if (taken < bytes.length) {
      this.#chunk = bytes.slice(taken);
      this.#pause();
    }
    return true;
  }

  /** The guest has acknowledged so many: there may be room for more. */
  drop(bytes: number): void {
    this.ring.drop(bytes);
    if (this.#chunk !== undefined) {
      const taken = this.ring.write(this.#chunk);
      this.#chunk = taken < this.#chunk.length ? this.#chunk.subarray(taken) : undefined;
      if (this.#chunk !== undefined) return;
    }
    if (!this.#isPaused || !this.ring.hasRoom) return;
    this.#isPaused = false;
    this.stream?.resume();
  }

  release(): void {
    this.#chunk = undefined;
    this.ring.release();
  }

  #pause(): void {
    if (this.#isPaused) return;
    this.#isPaused = true;
    this.stream?.pause();
  }
}
