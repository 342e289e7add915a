// Frames on their way to another thread: many in one message, in one buffer that moves there.
import type { NetFrame, NetOffloadRequest } from "../backend/net.ts";
import { copyOut } from "../backend/parts.ts";

/** Bytes of frames in a message; the last one may go past it. */
const ENOUGH = 0x4_0000;
/** Largest frame: 64 KiB of data behind Ethernet, IP and TCP headers. */
const LONGEST = 0x1_0100;

export interface FrameMessage {
  bytes: Uint8Array;
  /** Of each frame, in order. */
  lengths: number[];
  offloads: (NetOffloadRequest | undefined)[];
}

export class FrameBatch {
  #bytes: Uint8Array<ArrayBuffer> | undefined;
  #used = 0;
  #lengths: number[] = [];
  #offloads: (NetOffloadRequest | undefined)[] = [];

  get size(): number {
    return this.#used;
  }

  get isFull(): boolean {
    return this.#used >= ENOUGH;
  }

  /** Copies a frame. One that is longer than any can be, or comes when the batch is full, is not taken. */
  add(frame: NetFrame): boolean {
    if (this.isFull || frame.length > LONGEST) return false;
    this.#bytes ??= new Uint8Array(ENOUGH + LONGEST);
    copyOut(frame.parts, 0, frame.length, this.#bytes, this.#used);
    this.#used += frame.length;
    this.#lengths.push(frame.length);
    this.#offloads.push(frame.offload);
    return true;
  }

  /** All frames as a message whose buffer may be moved; nothing is left. */
  take(): FrameMessage & { bytes: Uint8Array<ArrayBuffer> } {
    const all = this.#bytes ?? new Uint8Array(0);
    // A large buffer for a few small frames stays here.
    const keeps = this.#used < ENOUGH / 4;
    const message = {
      bytes: keeps ? all.slice(0, this.#used) : all.subarray(0, this.#used),
      lengths: this.#lengths,
      offloads: this.#offloads,
    };
    if (!keeps) this.#bytes = undefined;
    this.#used = 0;
    this.#lengths = [];
    this.#offloads = [];
    return message;
  }
}

/** The frames of a message, each of meaning as long as the message is. */
export function* framesOf({ bytes, lengths, offloads }: FrameMessage): Generator<NetFrame> {
  let at = 0;
  for (let n = 0; n < lengths.length; n++) {
    const length = lengths[n];
    yield { parts: [bytes.subarray(at, at + length)], length, offload: offloads[n] };
    at += length;
  }
}
