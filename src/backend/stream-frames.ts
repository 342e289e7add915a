// Frames in a stream of bytes, as QEMU's `-netdev stream` and passt have them: each with its
// length in front, four bytes in network byte order. What comes is checked; there is never
// more kept than one frame.

import { NET_FRAME_MAX } from "../../assembly/abi/net.ts";
import { copyOut } from "./parts.ts";

const PREFIX = 4;
const SHORTEST = 14;

/** Takes a stream apart. */
export class FrameReader {
  readonly #frame = new Uint8Array(PREFIX + NET_FRAME_MAX);
  /** Bytes of the frame that is being gathered, and of it in all; 0 while the prefix is not whole. */
  #have = 0;
  #need = 0;

  /**
   * Reads `bytes` from `at` on; `take` gets each frame, of meaning during the call, and says whether it could be taken.
   * Returns where to go on: `bytes.length`, or where a frame was refused (its bytes are kept: call with the rest, or
   * with none, and it is offered again). Throws a RangeError for a length that no frame has.
   */
  read(bytes: Uint8Array, at: number, take: (frame: Uint8Array) => boolean): number {
    for (;;) {
      if (this.#have < PREFIX || this.#need === 0) {
        at = this.#gather(bytes, at, PREFIX);
        if (this.#have < PREFIX) return at;
        const [a, b, c, d] = this.#frame;
        const length = ((a << 24) | (b << 16) | (c << 8) | d) >>> 0;
        if (length > NET_FRAME_MAX) throw new RangeError(`a frame of ${length} bytes`);
        this.#need = PREFIX + length;
      }
      at = this.#gather(bytes, at, this.#need);
      if (this.#have < this.#need) return at;
      if (this.#need >= PREFIX + SHORTEST && !take(this.#frame.subarray(PREFIX, this.#need))) return at;
      this.#have = this.#need = 0;
    }
  }

  /** Another stream begins. */
  reset(): void {
    this.#have = this.#need = 0;
  }

  #gather(bytes: Uint8Array, at: number, wanted: number): number {
    const taken = Math.min(wanted - this.#have, bytes.length - at);
    if (taken <= 0) return at;
    this.#frame.set(bytes.subarray(at, at + taken), this.#have);
    this.#have += taken;
    return at + taken;
  }
}

/** The frame with its length in front, copied to the beginning of `into`; the number of bytes. */
export function writeFrame(parts: readonly Uint8Array[], length: number, into: Uint8Array): number {
  into[0] = length >>> 24;
  into[1] = length >>> 16;
  into[2] = length >>> 8;
  into[3] = length;
  copyOut(parts, 0, length, into, PREFIX);
  return PREFIX + length;
}

/** Bytes that a frame takes at most. */
export const STREAM_FRAME_MAX = PREFIX + NET_FRAME_MAX;
