// One connection between a socket of the guest and a stream of the host: its state, what the
// guest is still to be told about it, and the credit of both sides (virtio 1.2, 5.10.6.3).
//
// Either side tells how many bytes its buffer holds and how many have left it so far; the
// other sends no more than fits. Counts are 32 bits and wrap.
import { VsockOp, VsockShutdown } from "../../../assembly/abi/virtio.ts";
import type { VsockStream } from "./vsock-backend.ts";

/** What we hold for a stream that does not take it. */
export const BUFFER_SIZE = 256 * 1024;
/** Taken from a stream at once. */
const READ_SIZE = 64 * 1024;
/** The guest hears of room in our buffer when there is this much of it that it does not know of. */
const NEWS_OF_ROOM = BUFFER_SIZE / 4;

/** opening: the guest asked; asking: we asked the guest; closing: both directions have ended, the guest is to confirm. */
export type ConnectionState = "opening" | "asking" | "open" | "closing";

/** What goes into a packet; addresses and credit are added by whoever sends it. */
export interface Outgoing {
  op: VsockOp;
  flags: number;
  payload?: Uint8Array;
}

export class Connection {
  readonly guestPort: number;
  readonly hostPort: number;
  state: ConnectionState;
  stream: VsockStream | undefined;
  /** VsockShutdown bits that the guest has sent, and that we have. */
  guestShut = 0;
  hostShut = 0;
  cancelTimer: (() => void) | undefined;

  /** Bytes from the guest that have left for the stream, modulo 2^32; and what the guest was last told of that. */
  #forwarded = 0;
  #told = 0;
  /** Bytes from the guest that are on their way to the stream. */
  #held = 0;
  /** Bytes sent to the guest, and what it says about its buffer. */
  #sent = 0;
  #guestBuffer = 0;
  #guestForwarded = 0;

  /** What is to be said, in this order. */
  #request = false;
  #response = false;
  #credit = false;
  #mayRead = false;
  #hostEnded = false;
  #hostClosed = false;
  #payload: Uint8Array | undefined;

  constructor(guestPort: number, hostPort: number, state: ConnectionState) {
    this.guestPort = guestPort;
    this.hostPort = hostPort;
    this.state = state;
    this.#request = state === "asking";
  }

  get bufferState(): { bufferSize: number; forwarded: number } {
    return { bufferSize: BUFFER_SIZE, forwarded: this.#forwarded };
  }

  /** Every packet of the guest tells about its buffer. */
  creditFromGuest(bufferSize: number, forwarded: number): void {
    this.#guestBuffer = bufferSize;
    this.#guestForwarded = forwarded;
  }

  /** Bytes that the guest has room for; none if what it says makes no sense. */
  get room(): number {
    return Math.max(0, this.#guestBuffer - ((this.#sent - this.#guestForwarded) >>> 0));
  }

  /** The stream is there: the guest may be told so. */
  opened(stream: VsockStream): void {
    this.stream = stream;
    this.state = "open";
    this.#response = true;
  }

  /** The guest has accepted what we asked for. */
  accepted(): void {
    this.state = "open";
    this.stream?.accepted?.(this.hostPort);
  }

  /** Data from the guest. False if it is more than it was told there is room for. `moved` is called when it has left. */
  receive(payload: Uint8Array, moved: () => void): boolean {
    if (this.#held + payload.length > BUFFER_SIZE) return false;
    this.#held += payload.length;
    this.stream?.write(payload, () => {
      this.#held -= payload.length;
      this.#forwarded = (this.#forwarded + payload.length) >>> 0;
      if ((this.#forwarded - this.#told) >>> 0 >= NEWS_OF_ROOM) {
        this.#credit = true;
        moved();
      }
    });
    return true;
  }

  wantsCredit(): void {
    this.#credit = true;
  }

  readable(): void {
    this.#mayRead = true;
  }

  hostEnded(): void {
    this.#hostEnded = true;
  }

  hostClosed(): void {
    this.#hostEnded = true;
    this.#hostClosed = true;
  }

  /** The guest takes nothing more: what it was to get is dropped. */
  guestStoppedReading(): void {
    this.#payload = undefined;
    this.#mayRead = false;
  }

  /** Looks for the next thing to tell the guest. A payload may be sent in part: see `took()`. */
  next(): Outgoing | undefined {
    if (this.#request) return { op: VsockOp.REQUEST, flags: 0 };
    if (this.state === "opening" || this.state === "asking") return undefined;
    if (this.#response) return { op: VsockOp.RESPONSE, flags: 0 };
    if (this.state === "open" && (this.guestShut & VsockShutdown.RECEIVE) === 0 && this.room > 0) {
      if (this.#payload === undefined && this.#mayRead) {
        this.#payload = this.stream?.read(Math.min(this.room, READ_SIZE));
        if (this.#payload === undefined) this.#mayRead = false;
      }
      if (this.#payload !== undefined) {
        return { op: VsockOp.RW, flags: 0, payload: this.#payload.subarray(0, this.room) };
      }
    }
    const drained = this.#payload === undefined || (this.guestShut & VsockShutdown.RECEIVE) !== 0;
    const shut = !drained ? 0 : this.#hostClosed ? VsockShutdown.BOTH : this.#hostEnded ? VsockShutdown.SEND : 0;
    if ((shut & ~this.hostShut) !== 0) return { op: VsockOp.SHUTDOWN, flags: shut };
    if (this.#credit) return { op: VsockOp.CREDIT_UPDATE, flags: 0 };
    return undefined;
  }

  /** What next() gave was sent, `bytes` of its payload. */
  took({ op, flags }: Outgoing, bytes: number): void {
    // Every packet carries our credit.
    this.#told = this.#forwarded;
    this.#credit = false;
    switch (op) {
      case VsockOp.REQUEST:
        this.#request = false;
        break;
      case VsockOp.RESPONSE:
        this.#response = false;
        break;
      case VsockOp.SHUTDOWN:
        this.hostShut |= flags;
        if (this.hostShut === VsockShutdown.BOTH) this.state = "closing";
        break;
      case VsockOp.RW:
        this.#sent = (this.#sent + bytes) >>> 0;
        this.#payload = this.#payload?.subarray(bytes);
        if (this.#payload?.length === 0) this.#payload = undefined;
        break;
    }
  }
}
