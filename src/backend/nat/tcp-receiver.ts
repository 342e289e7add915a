// What a connection gets from the guest: written to the host's stream before it is
// acknowledged; the window is what may still wait there.
import { TcpFlag, type TcpSegment } from "./tcp-segment.ts";
import { ReceiveWindow } from "./tcp-window.ts";
import type { NatStream } from "./transport.ts";

/** Bytes that may wait for the host to take them. */
const BUFFER = 1024 * 1024;
/** Shift of the window that such a buffer needs. */
const SHIFT = 7;
/** Unacknowledged bytes after which the guest hears at once, before the burst is over. */
const ACK_AT_ONCE = 256 * 1024;

export class Receiver {
  readonly window = new ReceiveWindow();
  stream: NatStream | undefined;
  /** The guest's FIN has come. */
  hasEnded = false;
  isAckDue = false;
  /** Bytes that are not acknowledged. */
  #silent = 0;

  /** The guest's first number is known; `isScaled`: it takes windows that are shifted. */
  begin(next: number, isScaled: boolean): void {
    this.window.begin(next);
    this.window.shift = isScaled ? SHIFT : 0;
  }

  /** What may be shifted is said before the guest's number is known. */
  offerScale(): void {
    this.window.shift = SHIFT;
  }

  /** The shift that a SYN tells. */
  get scale(): number | undefined {
    return this.window.shift === 0 ? undefined : this.window.shift;
  }

  /** Bytes that may still wait for the host. */
  get free(): number {
    return Math.max(BUFFER - (this.stream?.pending ?? 0), 0);
  }

  /** Is more room to be told of? Small steps are no news (RFC 9293, 3.8.6.2.2). */
  get hasNews(): boolean {
    return this.free - this.window.open >= BUFFER / 2;
  }

  /** Must the guest hear before its burst is over? */
  get isUrgent(): boolean {
    return this.#silent >= ACK_AT_ONCE;
  }

  /** The guest has been told all that came. */
  acknowledged(): void {
    this.isAckDue = false;
    this.#silent = 0;
  }

  /** A segment's data and FIN; `distance` is how far it is from what is expected. False: nobody takes data any more. */
  take(segment: TcpSegment, distance: number): boolean {
    this.isAckDue = true;
    if (this.hasEnded || distance > 0) {
      // Data after a FIN, or out of order: the wire does not do that. It will be sent again.
      this.#silent = ACK_AT_ONCE;
      return true;
    }
    const known = -distance;
    const fresh = segment.length - known;
    if (fresh < 0 || (fresh === 0 && !segment.has(TcpFlag.FIN))) {
      this.#silent = ACK_AT_ONCE;
      return true;
    }
    const taken = Math.min(fresh, this.window.room);
    if (taken > 0) {
      if (this.stream === undefined) return false;
      this.stream.write(segment.packet.parts, segment.at + known, taken);
      this.window.advance(taken);
      this.#silent += taken;
    }
    if (taken < fresh) this.#silent = ACK_AT_ONCE;
    else if (segment.has(TcpFlag.FIN)) {
      this.window.advance(1);
      this.hasEnded = true;
      this.stream?.end();
    }
    return true;
  }
}
