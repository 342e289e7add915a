// The two windows of a TCP connection (RFC 9293, 3.3.1 and 3.8.6): what it may get from the
// guest, and what it may send there.
import { isBefore } from "./tcp-segment.ts";

/** Largest number in a header's window field. */
const FIELD = 0xffff;

/** The number that comes next, and how far the guest may go on from there. */
export class ReceiveWindow {
  /** RCV.NXT: the number that is expected next. */
  next = 0;
  /** How far the window is shifted in a header (RFC 7323, 2.2). */
  shift = 0;
  /** The end of the window that the guest was told. */
  #end = 0;

  /** What the guest sends begins at `next`; it may send nothing yet. */
  begin(next: number): void {
    this.next = next;
    this.#end = next;
  }

  /** How far a segment's beginning is from what is expected. */
  distance(sequence: number): number {
    return (sequence - this.next) | 0;
  }

  /** Bytes for which it is open. */
  get open(): number {
    return (this.#end - this.next) | 0;
  }

  /** Bytes for which the guest takes it to be open. */
  get told(): number {
    return this.#units() << this.shift;
  }

  /** Bytes that are taken: up to a unit more than it is open for was told, by rounding. */
  get room(): number {
    return Math.max(this.open + (1 << this.shift) - 1, 0);
  }

  advance(bytes: number): void {
    this.next = (this.next + bytes) >>> 0;
  }

  /** Opens it for `free` bytes, in a SYN, where it is not shifted; the header's field. */
  tellFirst(free: number): number {
    const field = Math.min(free, FIELD);
    this.#end = (this.next + field) >>> 0;
    return field;
  }

  /** Opens it for `free` bytes; the header's field. Its end never moves back, nor forward by less than `step` (3.8.6.2.2). */
  tell(free: number, step: number): number {
    const end = (this.next + free) >>> 0;
    if (((end - this.#end) | 0) >= step) this.#end = end;
    return Math.min(this.#units(), FIELD);
  }

  /** In the units in which it is told: rounded up, since its end is not to move back. */
  #units(): number {
    return Math.ceil(Math.max(this.open, 0) / (1 << this.shift));
  }
}

/** What is on its way to the guest, and how much may be. */
export class SendWindow {
  /** SND.UNA: the first number that is not acknowledged. */
  unacknowledged: number;
  /** SND.NXT: the number that is sent next. */
  next: number;
  /** SND.WND: bytes that the guest takes from `unacknowledged` on. */
  size = 0;
  /** How far the window is shifted in the guest's headers. */
  shift = 0;
  /** Behind the highest number that was ever sent: what is before it is sent again. */
  #sent: number;

  constructor(first: number) {
    this.unacknowledged = this.next = this.#sent = first >>> 0;
  }

  get inFlight(): number {
    return (this.next - this.unacknowledged) | 0;
  }

  /** Is everything that was ever sent acknowledged? */
  get isQuiet(): boolean {
    return this.#sent === this.unacknowledged;
  }

  /** Is it of something that was never sent? */
  isAhead(acknowledgment: number): boolean {
    return isBefore(this.#sent, acknowledgment);
  }

  isAll(acknowledgment: number): boolean {
    return acknowledgment === this.#sent;
  }

  advance(count: number): void {
    this.next = (this.next + count) >>> 0;
    if (isBefore(this.#sent, this.next)) this.#sent = this.next;
  }

  /** Begins again at what is not acknowledged. */
  rewind(): void {
    this.next = this.unacknowledged;
  }

  acknowledge(acknowledgment: number): void {
    this.unacknowledged = acknowledgment;
    if (isBefore(this.next, acknowledgment)) this.next = acknowledgment;
  }
}
