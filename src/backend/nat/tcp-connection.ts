// One TCP connection (RFC 9293): the guest's end of it is answered here, and joined to a
// stream of the host. The wire loses nothing that it has taken, so there is no congestion
// control; what the guest itself may lose is sent again after a while.
//
// Towards the host: what the guest sends is written to the stream before it is acknowledged,
// and the window is what may still wait there. Towards the guest: the stream's bytes stay in
// a ring until they are acknowledged, and the stream is paused while that is full.
import { askFor } from "./arp.ts";
import { quote } from "./icmp.ts";
import type { Link } from "./link.ts";
import type { RingBudget } from "./send-ring.ts";
import { Inflow } from "./tcp-inflow.ts";
import { type Ends, MOST_DATA, SegmentOutput } from "./tcp-output.ts";
import { TcpFlag, type TcpSegment } from "./tcp-segment.ts";
import { RetransmissionTimer } from "./tcp-timer.ts";
import { ReceiveWindow, SendWindow } from "./tcp-window.ts";
import type { NatFailure, NatStream, NatStreamEvents } from "./transport.ts";

/** Bytes that may wait for the host to take them. */
const RECEIVE_BUFFER = 1024 * 1024;
/** Shift of the window that such a buffer needs. */
const SHIFT = 7;
/** Unacknowledged bytes after which the guest hears at once, before the burst is over. */
const ACK_AT_ONCE = 256 * 1024;

const MOST_RETRIES = 12;
/** An address that does not answer a SYN is no guest. */
const MOST_SYN_RETRIES = 6;
const TIME_WAIT = 1000;
const DUPLICATES = 3;

/** For reads of a stream that is over. */
const NOWHERE = new Uint8Array(1);

export const enum State {
  /** The host connects; the guest has sent a SYN and waits. */
  CONNECTING,
  SYN_RECEIVED,
  SYN_SENT,
  /** Established, or half closed: see the flags. */
  OPEN,
  TIME_WAIT,
  CLOSED,
}

/** What a connection needs of the table that it is in. */
export interface ConnectionTable {
  readonly link: Link;
  readonly budget: RingBudget;
  now(): number;
  random(): number;
  /** It wants to acknowledge, but not before the burst is over. */
  acknowledgeLater(connection: Connection): void;
  /** The guest had no room: call pump() when it has. */
  blocked(connection: Connection): void;
  /** Time has to pass for it. */
  needsTime(): void;
  /** The host could not connect. */
  failed(connection: Connection, failure: NatFailure): void;
  closed(connection: Connection): void;
}

export class Connection implements NatStreamEvents, Ends {
  readonly guest: number;
  readonly guestPort: number;
  readonly far: number;
  readonly farPort: number;
  state: State = State.CONNECTING;
  /** In the table's lists of those that wait. */
  isAckListed = false;
  isBlocked = false;
  /** The SYN's beginning, for an error about it. */
  quoted: Uint8Array | undefined;
  /** When TIME-WAIT ends. */
  until = 0;
  #stream: NatStream | undefined;
  readonly #table: ConnectionTable;
  readonly #inflow: Inflow;
  readonly #output: SegmentOutput;
  readonly #timer = new RetransmissionTimer();
  readonly #receiving = new ReceiveWindow();

  readonly #sending: SendWindow;
  /** Acknowledgments of the same number in a row. */
  #duplicates = 0;
  #isAckDue = false;
  /** Bytes that are not acknowledged. */
  #silent = 0;

  /** The guest's FIN has come; the host's end has, and its FIN was sent, and acknowledged. */
  #guestEnded = false;
  #hostEnded = false;
  #finSent = false;
  #finAcknowledged = false;

  constructor(table: ConnectionTable, guest: number, guestPort: number, far: number, farPort: number) {
    this.#table = table;
    this.guest = guest;
    this.guestPort = guestPort;
    this.far = far;
    this.farPort = farPort;
    this.#inflow = new Inflow(table.budget);
    this.#output = new SegmentOutput(table.link, this, this.#inflow.ring);
    this.#sending = new SendWindow(table.random());
  }

  /** The stream that the table has got for it. */
  set stream(stream: NatStream) {
    this.#stream = stream;
    this.#inflow.stream = stream;
  }

  /** The guest's SYN. */
  accept(segment: TcpSegment): void {
    this.quoted = quote(segment.packet);
    this.#receiving.begin((segment.sequence + 1) >>> 0);
    const { mss, scale } = segment.readOptions();
    this.#output.limit(mss);
    this.#sending.shift = scale ?? 0;
    this.#receiving.shift = scale === undefined ? 0 : SHIFT;
    this.#sending.size = segment.window;
  }

  /** Opens a connection to the guest, for a stream that has come to a forwarded port. */
  open(): void {
    this.state = State.SYN_SENT;
    this.#receiving.shift = SHIFT;
    this.#sendSyn();
  }

  /** The guest's hardware address is known, or another. */
  found(): void {
    const mac = this.#table.link.find(this.guest);
    if (mac === undefined || this.state === State.CONNECTING || this.state === State.CLOSED) return;
    if (this.#output.isPrepared) this.#output.prepare(mac);
    else if (this.state === State.SYN_SENT) this.#sendSyn();
  }

  // --- what the stream says ---

  connected(): void {
    if (this.state !== State.CONNECTING) return;
    this.quoted = undefined;
    this.state = State.SYN_RECEIVED;
    this.#sendSyn();
  }

  space(): Uint8Array {
    return this.#isOver ? NOWHERE : this.#inflow.ring.space();
  }

  filled(length: number): void {
    if (this.#isOver) return;
    this.#inflow.filled(length);
    this.pump();
  }

  data(bytes: Uint8Array): void {
    if (this.#isOver) return;
    // It does not stop although it should: that has a bound.
    if (this.#inflow.take(bytes)) this.pump();
    else this.reset();
  }

  ended(): void {
    if (this.#hostEnded) return;
    this.#hostEnded = true;
    this.pump();
  }

  drained(): void {
    if (this.state !== State.OPEN || this.#guestEnded) return;
    // Small steps are no news (RFC 9293, 3.8.6.2.2).
    if (this.#free - this.#receiving.open >= RECEIVE_BUFFER / 2) this.#sendAck();
  }

  closed(failure: NatFailure | undefined): void {
    this.#stream = this.#inflow.stream = undefined;
    if (this.state === State.CONNECTING) {
      this.#table.failed(this, failure ?? "refused");
      this.#finish();
    } else if (failure !== undefined || !this.#hostEnded) this.reset();
  }

  get #isOver(): boolean {
    return this.state === State.CLOSED || this.state === State.TIME_WAIT;
  }

  // --- what the guest says (RFC 9293, 3.10.7) ---

  receive(segment: TcpSegment): void {
    switch (this.state) {
      case State.CONNECTING:
        if (segment.has(TcpFlag.RST) && segment.sequence === this.#receiving.next) this.#drop();
        return;
      case State.SYN_SENT:
        this.#receiveInSynSent(segment);
        return;
      case State.CLOSED:
        return;
    }
    const distance = this.#receiving.distance(segment.sequence);
    if (segment.has(TcpFlag.RST)) {
      // Only the very number that is expected resets; others in the window are asked about (RFC 5961, 3.2).
      if (distance === 0) this.#drop();
      else if (distance > 0 && distance < this.#receiving.told) this.#sendAck();
      return;
    }
    if (segment.has(TcpFlag.SYN)) {
      if (this.state === State.SYN_RECEIVED && distance === -1) this.#sendSyn();
      else this.#sendAck();
      return;
    }
    if (!segment.has(TcpFlag.ACK)) return;
    if (!this.#takeAcknowledgment(segment)) return;
    if (segment.length > 0 || segment.has(TcpFlag.FIN)) this.#takeData(segment, distance);
    else if (distance < 0) this.#isAckDue = true; // It asks how large the window is, or whether we are there.
    this.#advance();
  }

  #receiveInSynSent(segment: TcpSegment): void {
    const isOurs = segment.has(TcpFlag.ACK) && segment.acknowledgment === this.#sending.next;
    if (segment.has(TcpFlag.RST)) {
      if (isOurs) this.#drop();
      return;
    }
    if (!segment.has(TcpFlag.SYN) || !isOurs) return;
    this.accept(segment);
    this.quoted = undefined;
    this.#sending.acknowledge(segment.acknowledgment);
    this.state = State.OPEN;
    this.#rest();
    this.#sendAck();
    this.#advance();
  }

  /** False: nothing more is to be read from the segment. */
  #takeAcknowledgment(segment: TcpSegment): boolean {
    const { acknowledgment } = segment;
    const sending = this.#sending;
    if (sending.isAhead(acknowledgment)) {
      // Of what was never sent.
      if (this.state === State.SYN_RECEIVED) this.reset();
      else this.#sendAck();
      return false;
    }
    if (this.state === State.SYN_RECEIVED) {
      if (!sending.isAll(acknowledgment)) return false;
      this.state = State.OPEN;
      sending.acknowledge(acknowledgment);
      this.#rest();
    }
    const advance = (acknowledgment - sending.unacknowledged) | 0;
    if (advance < 0) return true;
    // Who answers probes is there, however long its window stays closed.
    if (sending.isQuiet) this.#timer.heard();
    const window = segment.window << sending.shift;
    if (advance > 0) {
      const fin = this.#finSent && sending.isAll(acknowledgment) && advance > this.#inflow.ring.length ? 1 : 0;
      this.#finAcknowledged ||= fin === 1;
      const acknowledged = Math.min(advance - fin, this.#inflow.ring.length);
      sending.acknowledge(acknowledgment);
      this.#duplicates = 0;
      this.#rest();
      this.#inflow.drop(acknowledged);
    } else if (segment.length === 0 && window === sending.size && !segment.has(TcpFlag.FIN) && sending.inFlight !== 0) {
      // It got something after what it waits for (RFC 5681, 3.2).
      if (++this.#duplicates === DUPLICATES) this.#sendAgain();
    }
    sending.size = window;
    return true;
  }

  /** `distance` is that of the segment from what is expected. */
  #takeData(segment: TcpSegment, distance: number): void {
    this.#isAckDue = true;
    if (this.#guestEnded || distance > 0) {
      // Data after a FIN, or out of order: the wire does not do that. It will be sent again.
      this.#silent = ACK_AT_ONCE;
      return;
    }
    const known = -distance;
    const fresh = segment.length - known;
    if (fresh < 0 || (fresh === 0 && !segment.has(TcpFlag.FIN))) {
      this.#silent = ACK_AT_ONCE;
      return;
    }
    const taken = Math.min(fresh, this.#receiving.room);
    if (taken > 0) {
      if (this.#stream === undefined) {
        this.reset();
        return;
      }
      this.#stream.write(segment.packet.parts, segment.at + known, taken);
      this.#receiving.advance(taken);
      this.#silent += taken;
    }
    if (taken < fresh) this.#silent = ACK_AT_ONCE;
    else if (segment.has(TcpFlag.FIN)) {
      this.#receiving.advance(1);
      this.#guestEnded = true;
      this.#stream?.end();
    }
  }

  /** Sends what can be sent, at least the acknowledgment if it is due. */
  #advance(): void {
    if (this.state === State.CLOSED) return;
    this.pump();
    if (this.#isAckDue) {
      if (this.#silent >= ACK_AT_ONCE) this.#sendAck();
      else this.#table.acknowledgeLater(this);
    }
    this.#finishIfDone();
  }

  /** The burst is over. */
  settle(): void {
    if (this.#isAckDue) this.#sendAck();
  }

  // --- what is sent ---

  /** Sends what the guest's window allows. */
  pump(): void {
    if (this.state !== State.OPEN || this.isBlocked) return;
    const { ring } = this.#inflow;
    const { mss } = this.#output;
    const sending = this.#sending;
    while (true) {
      const { inFlight } = sending;
      const ready = ring.length - inFlight;
      const open = sending.size - inFlight;
      if (ready <= 0 || open <= 0) break;
      let length = Math.min(ready, open, MOST_DATA);
      // No small segments while there are others (RFC 9293, 3.8.6.2.1).
      if (length < mss && length < ready && inFlight > 0) break;
      if (length >= mss && length < ready) length -= length % mss;
      if (!this.#send(TcpFlag.ACK | (length === ready ? TcpFlag.PSH : 0), sending.next, inFlight, length)) return;
      this.#noteSent(length);
    }
    if (this.#hostEnded && this.#inflow.isWhole && !this.#finAcknowledged) {
      const isAllSent = sending.inFlight === ring.length;
      if (isAllSent && this.#send(TcpFlag.ACK | TcpFlag.FIN, sending.next, 0, 0)) {
        this.#finSent = true;
        this.#noteSent(1);
      }
    }
    // A window that is closed may open without our hearing of it.
    if (ring.length > 0 && !this.#timer.isRunning) this.#startTimer();
  }

  #noteSent(count: number): void {
    this.#sending.advance(count);
    if (!this.#timer.isRunning) this.#startTimer();
  }

  #startTimer(): void {
    this.#timer.start(this.#table.now());
    this.#table.needsTime();
  }

  /** Something was acknowledged: time begins anew. */
  #rest(): void {
    this.#timer.reset();
    if (!this.#sending.isQuiet) this.#startTimer();
  }

  /** Time has passed. */
  tick(now: number): void {
    if (this.state === State.TIME_WAIT) {
      if (now >= this.until) this.#finish();
      return;
    }
    if (!this.#timer.isOver(now)) return;
    // While there is no room nothing is lost.
    if (this.isBlocked) {
      this.#startTimer();
      return;
    }
    const isOpening = this.state === State.SYN_SENT || this.state === State.SYN_RECEIVED;
    // A guest that sends nothing at all to anybody is paused, or busy: only one that could have answered is given up.
    const lastHeard = isOpening ? Number.POSITIVE_INFINITY : this.#table.link.heard;
    if (!this.#timer.again(now, lastHeard, isOpening ? MOST_SYN_RETRIES : MOST_RETRIES)) {
      this.reset();
      return;
    }
    if (isOpening) {
      this.#sending.rewind();
      this.#sendSyn();
    } else if (!this.#sending.isQuiet) this.#sendAgain();
    else {
      // A probe: a number that was acknowledged makes the guest answer with its window.
      this.#send(TcpFlag.ACK, (this.#sending.unacknowledged - 1) >>> 0, 0, 0);
    }
    if (this.state !== State.CLOSED && !this.#timer.isRunning) this.#startTimer();
  }

  #sendAgain(): void {
    this.#sending.rewind();
    this.pump();
  }

  #sendSyn(): void {
    const { link } = this.#table;
    const mac = link.find(this.guest);
    this.#startTimer();
    if (mac === undefined) {
      askFor(link, this.guest);
      return;
    }
    const isAnswer = this.state === State.SYN_RECEIVED;
    const { shift } = this.#receiving;
    const window = this.#receiving.tellFirst(this.#free);
    const flags = TcpFlag.SYN | (isAnswer ? TcpFlag.ACK : 0);
    const sequence = this.#sending.unacknowledged;
    this.#sending.rewind();
    this.#sending.advance(1);
    this.#output.putSyn(
      mac,
      flags,
      sequence,
      isAnswer ? this.#receiving.next : 0,
      window,
      shift === 0 ? undefined : shift,
    );
  }

  /** Bytes that may still wait for the host. */
  get #free(): number {
    return Math.max(RECEIVE_BUFFER - (this.#stream?.pending ?? 0), 0);
  }

  #sendAck(): void {
    this.#send(TcpFlag.ACK, this.#sending.next, 0, 0);
  }

  /** Sends `length` bytes from `offset` of the ring, and what is to be acknowledged. False: there was no room. */
  #send(flags: number, sequence: number, offset: number, length: number): boolean {
    const output = this.#output;
    if (!output.isPrepared) return true;
    const window = this.#receiving.tell(this.#free, output.mss);
    if (!output.offer(flags, sequence, this.#receiving.next, window, offset, length)) {
      this.#table.blocked(this);
      return false;
    }
    this.#isAckDue = false;
    this.#silent = 0;
    return true;
  }

  // --- the end ---

  #finishIfDone(): void {
    if (this.state !== State.OPEN || !this.#guestEnded || !this.#finAcknowledged) return;
    this.state = State.TIME_WAIT;
    this.until = this.#table.now() + TIME_WAIT;
    this.#table.needsTime();
    this.#inflow.release();
  }

  /** Ends both sides: the guest gets a reset. */
  reset(): void {
    if (this.state === State.CLOSED) return;
    const wasOpen = this.state !== State.CONNECTING && this.state !== State.SYN_SENT && this.state !== State.TIME_WAIT;
    if (wasOpen) this.#send(TcpFlag.RST | TcpFlag.ACK, this.#sending.next, 0, 0);
    this.#drop();
  }

  /** Tells the guest that nobody answers at the port that it calls. */
  sendRefusal(): void {
    const mac = this.#table.link.find(this.guest);
    if (mac === undefined) return;
    this.#output.prepare(mac);
    this.#send(TcpFlag.RST | TcpFlag.ACK, 0, 0, 0);
  }

  /** Ends both sides without a word: there is no guest any more. */
  abandon(): void {
    this.#drop();
  }

  /** Ends both sides; the guest knows. */
  #drop(): void {
    this.#stream?.abort();
    this.#stream = this.#inflow.stream = undefined;
    this.#finish();
  }

  #finish(): void {
    if (this.state === State.CLOSED) return;
    this.state = State.CLOSED;
    this.#inflow.release();
    this.#table.closed(this);
  }
}
