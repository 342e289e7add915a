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
import type { Ends } from "./tcp-output.ts";
import { Receiver } from "./tcp-receiver.ts";
import { TcpFlag, type TcpSegment } from "./tcp-segment.ts";
import { Sender, type SenderEvents } from "./tcp-sender.ts";
import type { NatFailure, NatStream, NatStreamEvents } from "./transport.ts";

const TIME_WAIT = 1000;

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

export class Connection implements NatStreamEvents, Ends, SenderEvents {
  readonly guest: number;
  readonly guestPort: number;
  readonly far: number;
  readonly farPort: number;
  readonly link: Link;
  readonly budget: RingBudget;
  state: State = State.CONNECTING;
  /** In the table's list of those that wait to acknowledge. */
  isAckListed = false;
  /** The SYN's beginning, for an error about it. */
  quoted: Uint8Array | undefined;
  /** When TIME-WAIT ends. */
  until = 0;
  #stream: NatStream | undefined;
  readonly #table: ConnectionTable;
  readonly #receiver = new Receiver();
  readonly #sender: Sender;

  constructor(table: ConnectionTable, guest: number, guestPort: number, far: number, farPort: number) {
    this.#table = table;
    this.link = table.link;
    this.budget = table.budget;
    this.guest = guest;
    this.guestPort = guestPort;
    this.far = far;
    this.farPort = farPort;
    this.#sender = new Sender(this, this, this.#receiver);
  }

  /** The stream that the table has got for it; undefined when that is over. */
  set stream(stream: NatStream | undefined) {
    this.#stream = this.#receiver.stream = this.#sender.inflow.stream = stream;
  }

  /** In the table's list of those for which the guest had no room. */
  get isBlocked(): boolean {
    return this.#sender.isBlocked;
  }

  set isBlocked(is: boolean) {
    this.#sender.isBlocked = is;
  }

  // --- what the sending half asks for ---

  now(): number {
    return this.#table.now();
  }

  random(): number {
    return this.#table.random();
  }

  needsTime(): void {
    this.#table.needsTime();
  }

  blocked(): void {
    this.#table.blocked(this);
  }

  // --- the beginning ---

  /** The guest's SYN. */
  accept(segment: TcpSegment): void {
    this.quoted = quote(segment.packet);
    const { mss, scale } = segment.readOptions();
    this.#receiver.begin((segment.sequence + 1) >>> 0, scale !== undefined);
    const { output, window } = this.#sender;
    output.limit(mss);
    window.shift = scale ?? 0;
    window.size = segment.window;
  }

  /** Opens a connection to the guest, for a stream that has come to a forwarded port. */
  open(): void {
    this.state = State.SYN_SENT;
    this.#receiver.offerScale();
    this.#sendSyn();
  }

  /** The guest's hardware address is known, or another. */
  found(): void {
    const mac = this.link.find(this.guest);
    if (mac === undefined || this.state === State.CONNECTING || this.state === State.CLOSED) return;
    const { output } = this.#sender;
    if (output.isPrepared) output.prepare(mac);
    else if (this.state === State.SYN_SENT) this.#sendSyn();
  }

  #sendSyn(): void {
    const mac = this.link.find(this.guest);
    this.#sender.startTimer();
    if (mac === undefined) {
      askFor(this.link, this.guest);
      return;
    }
    const isAnswer = this.state === State.SYN_RECEIVED;
    const flags = TcpFlag.SYN | (isAnswer ? TcpFlag.ACK : 0);
    this.#sender.putSyn(mac, flags, isAnswer ? this.#receiver.window.next : 0);
  }

  #established(acknowledgment: number): void {
    this.state = State.OPEN;
    this.#sender.isOpen = true;
    this.#sender.window.acknowledge(acknowledgment);
    this.#sender.rest();
  }

  // --- what the stream says ---

  connected(): void {
    if (this.state !== State.CONNECTING) return;
    this.quoted = undefined;
    this.state = State.SYN_RECEIVED;
    this.#sendSyn();
  }

  space(): Uint8Array {
    return this.#isOver ? NOWHERE : this.#sender.inflow.ring.space();
  }

  filled(length: number): void {
    if (this.#isOver) return;
    this.#sender.inflow.filled(length);
    this.pump();
  }

  data(bytes: Uint8Array): void {
    if (this.#isOver) return;
    // It does not stop although it should: that has a bound.
    if (this.#sender.inflow.take(bytes)) this.pump();
    else this.reset();
  }

  ended(): void {
    if (this.#sender.hasEnded) return;
    this.#sender.hasEnded = true;
    this.pump();
  }

  drained(): void {
    if (this.state !== State.OPEN || this.#receiver.hasEnded) return;
    if (this.#receiver.hasNews) this.#sender.acknowledge();
  }

  closed(failure: NatFailure | undefined): void {
    this.stream = undefined;
    if (this.state === State.CONNECTING) {
      this.#table.failed(this, failure ?? "refused");
      this.#finish();
    } else if (failure !== undefined || !this.#sender.hasEnded) this.reset();
  }

  get #isOver(): boolean {
    return this.state === State.CLOSED || this.state === State.TIME_WAIT;
  }

  // --- what the guest says (RFC 9293, 3.10.7) ---

  receive(segment: TcpSegment): void {
    const { window } = this.#receiver;
    switch (this.state) {
      case State.CONNECTING:
        if (segment.has(TcpFlag.RST) && segment.sequence === window.next) this.#drop();
        return;
      case State.SYN_SENT:
        this.#receiveInSynSent(segment);
        return;
      case State.CLOSED:
        return;
    }
    const distance = window.distance(segment.sequence);
    if (segment.has(TcpFlag.RST)) {
      // Only the very number that is expected resets; others in the window are asked about (RFC 5961, 3.2).
      if (distance === 0) this.#drop();
      else if (distance > 0 && distance < window.told) this.#sender.acknowledge();
      return;
    }
    if (segment.has(TcpFlag.SYN)) {
      if (this.state === State.SYN_RECEIVED && distance === -1) this.#sendSyn();
      else this.#sender.acknowledge();
      return;
    }
    if (!segment.has(TcpFlag.ACK)) return;
    if (!this.#takeAcknowledgment(segment)) return;
    if (segment.length > 0 || segment.has(TcpFlag.FIN)) {
      if (!this.#receiver.take(segment, distance)) this.reset();
    } else if (distance < 0) this.#receiver.isAckDue = true; // It asks how large the window is, or whether we are there.
    this.#advance();
  }

  #receiveInSynSent(segment: TcpSegment): void {
    const isOurs = segment.has(TcpFlag.ACK) && segment.acknowledgment === this.#sender.window.next;
    if (segment.has(TcpFlag.RST)) {
      if (isOurs) this.#drop();
      return;
    }
    if (!segment.has(TcpFlag.SYN) || !isOurs) return;
    this.accept(segment);
    this.quoted = undefined;
    this.#established(segment.acknowledgment);
    this.#sender.acknowledge();
    this.#advance();
  }

  /** False: nothing more is to be read from the segment. */
  #takeAcknowledgment(segment: TcpSegment): boolean {
    const { acknowledgment } = segment;
    const { window } = this.#sender;
    if (window.isAhead(acknowledgment)) {
      // Of what was never sent.
      if (this.state === State.SYN_RECEIVED) this.reset();
      else this.#sender.acknowledge();
      return false;
    }
    if (this.state === State.SYN_RECEIVED) {
      if (!window.isAll(acknowledgment)) return false;
      this.#established(acknowledgment);
    }
    this.#sender.takeAcknowledgment(segment);
    return true;
  }

  /** Sends what can be sent, at least the acknowledgment if it is due. */
  #advance(): void {
    if (this.state === State.CLOSED) return;
    this.pump();
    if (this.#receiver.isAckDue) {
      if (this.#receiver.isUrgent) this.#sender.acknowledge();
      else this.#table.acknowledgeLater(this);
    }
    this.#finishIfDone();
  }

  /** The burst is over. */
  settle(): void {
    if (this.#receiver.isAckDue) this.#sender.acknowledge();
  }

  /** Sends what the guest's window allows. */
  pump(): void {
    this.#sender.pump();
  }

  /** Time has passed. */
  tick(now: number): void {
    if (this.state === State.TIME_WAIT) {
      if (now >= this.until) this.#finish();
      return;
    }
    const isOpening = this.state === State.SYN_SENT || this.state === State.SYN_RECEIVED;
    switch (this.#sender.tick(now, isOpening)) {
      case "lost":
        this.reset();
        break;
      case "syn":
        this.#sendSyn();
        break;
    }
  }

  // --- the end ---

  #finishIfDone(): void {
    if (this.state !== State.OPEN || !this.#receiver.hasEnded || !this.#sender.isFinAcknowledged) return;
    this.state = State.TIME_WAIT;
    this.#sender.isOpen = false;
    this.until = this.#table.now() + TIME_WAIT;
    this.#table.needsTime();
    this.#sender.inflow.release();
  }

  /** Ends both sides: the guest gets a reset. */
  reset(): void {
    if (this.state === State.CLOSED) return;
    const wasOpen = this.state !== State.CONNECTING && this.state !== State.SYN_SENT && this.state !== State.TIME_WAIT;
    if (wasOpen) this.#sender.send(TcpFlag.RST | TcpFlag.ACK, this.#sender.window.next, 0, 0);
    this.#drop();
  }

  /** Tells the guest that nobody answers at the port that it calls. */
  sendRefusal(): void {
    const mac = this.link.find(this.guest);
    if (mac === undefined) return;
    this.#sender.output.prepare(mac);
    this.#sender.send(TcpFlag.RST | TcpFlag.ACK, 0, 0, 0);
  }

  /** Ends both sides without a word: there is no guest any more. */
  abandon(): void {
    this.#drop();
  }

  /** Ends both sides; the guest knows. */
  #drop(): void {
    this.#stream?.abort();
    this.stream = undefined;
    this.#finish();
  }

  #finish(): void {
    if (this.state === State.CLOSED) return;
    this.state = State.CLOSED;
    this.#sender.isOpen = false;
    this.#sender.inflow.release();
    this.#table.closed(this);
  }
}
