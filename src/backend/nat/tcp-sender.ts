// What a connection sends to the guest: the host's bytes, which stay in a ring until they are
// acknowledged, and its FIN. What the guest loses is sent again after a while.
import type { Link } from "./link.ts";
import type { RingBudget } from "./send-ring.ts";
import { Inflow } from "./tcp-inflow.ts";
import { type Ends, MOST_DATA, SegmentOutput } from "./tcp-output.ts";
import type { Receiver } from "./tcp-receiver.ts";
import { TcpFlag, type TcpSegment } from "./tcp-segment.ts";
import { RetransmissionTimer } from "./tcp-timer.ts";
import { SendWindow } from "./tcp-window.ts";

const MOST_RETRIES = 12;
/** An address that does not answer a SYN is no guest. */
const MOST_SYN_RETRIES = 6;
const DUPLICATES = 3;

/** What the sending half needs of the connection and its table. */
export interface SenderEvents {
  readonly link: Link;
  readonly budget: RingBudget;
  now(): number;
  random(): number;
  /** Time has to pass for it. */
  needsTime(): void;
  /** The guest had no room: call pump() when it has. */
  blocked(): void;
}

export class Sender {
  readonly window: SendWindow;
  readonly output: SegmentOutput;
  readonly inflow: Inflow;
  /** Data may go: the connection is established. */
  isOpen = false;
  /** The guest had no room. */
  isBlocked = false;
  /** The host's end has come; its FIN was sent, and acknowledged. */
  hasEnded = false;
  isFinAcknowledged = false;
  #isFinSent = false;
  readonly #events: SenderEvents;
  readonly #receiver: Receiver;
  readonly #timer = new RetransmissionTimer();
  /** Acknowledgments of the same number in a row. */
  #duplicates = 0;

  constructor(events: SenderEvents, ends: Ends, receiver: Receiver) {
    this.#events = events;
    this.#receiver = receiver;
    this.inflow = new Inflow(events.budget);
    this.output = new SegmentOutput(events.link, ends, this.inflow.ring);
    this.window = new SendWindow(events.random());
  }

  /** The guest has acknowledged something, or told its window again. */
  takeAcknowledgment(segment: TcpSegment): void {
    const sending = this.window;
    const { ring } = this.inflow;
    const { acknowledgment } = segment;
    const advance = (acknowledgment - sending.unacknowledged) | 0;
    if (advance < 0) return;
    // Who answers probes is there, however long its window stays closed.
    if (sending.isQuiet) this.#timer.heard();
    const window = segment.window << sending.shift;
    if (advance > 0) {
      const fin = this.#isFinSent && sending.isAll(acknowledgment) && advance > ring.length ? 1 : 0;
      this.isFinAcknowledged ||= fin === 1;
      const acknowledged = Math.min(advance - fin, ring.length);
      sending.acknowledge(acknowledgment);
      this.#duplicates = 0;
      this.rest();
      this.inflow.drop(acknowledged);
    } else if (segment.length === 0 && window === sending.size && !segment.has(TcpFlag.FIN) && sending.inFlight !== 0) {
      // It got something after what it waits for (RFC 5681, 3.2).
      if (++this.#duplicates === DUPLICATES) this.again();
    }
    sending.size = window;
  }

  /** Sends what the guest's window allows. */
  pump(): void {
    if (!this.isOpen || this.isBlocked) return;
    const { ring } = this.inflow;
    const { mss } = this.output;
    const sending = this.window;
    while (true) {
      const { inFlight } = sending;
      const ready = ring.length - inFlight;
      const open = sending.size - inFlight;
      if (ready <= 0 || open <= 0) break;
      let length = Math.min(ready, open, MOST_DATA);
      // No small segments while there are others (RFC 9293, 3.8.6.2.1).
      if (length < mss && length < ready && inFlight > 0) break;
      if (length >= mss && length < ready) length -= length % mss;
      if (!this.send(TcpFlag.ACK | (length === ready ? TcpFlag.PSH : 0), sending.next, inFlight, length)) return;
      this.#noteSent(length);
    }
    if (this.hasEnded && this.inflow.isWhole && !this.isFinAcknowledged) {
      const isAllSent = sending.inFlight === ring.length;
      if (isAllSent && this.send(TcpFlag.ACK | TcpFlag.FIN, sending.next, 0, 0)) {
        this.#isFinSent = true;
        this.#noteSent(1);
      }
    }
    // A window that is closed may open without our hearing of it.
    if (ring.length > 0 && !this.#timer.isRunning) this.startTimer();
  }

  #noteSent(count: number): void {
    this.window.advance(count);
    if (!this.#timer.isRunning) this.startTimer();
  }

  startTimer(): void {
    this.#timer.start(this.#events.now());
    this.#events.needsTime();
  }

  /** Something was acknowledged: time begins anew. */
  rest(): void {
    this.#timer.reset();
    if (!this.window.isQuiet) this.startTimer();
  }

  /** Begins again at what is not acknowledged. */
  again(): void {
    this.window.rewind();
    this.pump();
  }

  /** Time has passed. What is due is for the caller, if it is a SYN; "lost" if there was no answer too often. */
  tick(now: number, isOpening: boolean): "syn" | "lost" | undefined {
    if (!this.#timer.isOver(now)) return undefined;
    // While there is no room nothing is lost.
    if (this.isBlocked) {
      this.startTimer();
      return undefined;
    }
    // A guest that sends nothing at all to anybody is paused, or busy: only one that could have answered is given up.
    const lastHeard = isOpening ? Number.POSITIVE_INFINITY : this.#events.link.heard;
    if (!this.#timer.again(now, lastHeard, isOpening ? MOST_SYN_RETRIES : MOST_RETRIES)) return "lost";
    if (isOpening) {
      this.window.rewind();
      return "syn";
    }
    if (!this.window.isQuiet) this.again();
    else {
      // A probe: a number that was acknowledged makes the guest answer with its window.
      this.send(TcpFlag.ACK, (this.window.unacknowledged - 1) >>> 0, 0, 0);
    }
    if (!this.#timer.isRunning) this.startTimer();
    return undefined;
  }

  /** Sends a SYN: `flags`, and what is to be acknowledged. */
  putSyn(mac: Uint8Array, flags: number, acknowledgment: number): void {
    const receiver = this.#receiver;
    const window = receiver.window.tellFirst(receiver.free);
    const sequence = this.window.unacknowledged;
    this.window.rewind();
    this.window.advance(1);
    this.output.putSyn(mac, flags, sequence, acknowledgment, window, receiver.scale);
  }

  acknowledge(): void {
    this.send(TcpFlag.ACK, this.window.next, 0, 0);
  }

  /** Sends `length` bytes from `offset` of the ring, and what is to be acknowledged. False: there was no room. */
  send(flags: number, sequence: number, offset: number, length: number): boolean {
    const { output } = this;
    if (!output.isPrepared) return true;
    const receiver = this.#receiver;
    const window = receiver.window.tell(receiver.free, output.mss);
    if (!output.offer(flags, sequence, receiver.window.next, window, offset, length)) {
      this.#events.blocked();
      return false;
    }
    receiver.acknowledged();
    return true;
  }
}
