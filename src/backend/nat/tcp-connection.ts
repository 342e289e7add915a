// One TCP connection (RFC 9293): the guest's end of it is answered here, and joined to a
// stream of the host. The wire loses nothing that it has taken, so there is no congestion
// control; what the guest itself may lose is sent again after a while.
//
// Towards the host: what the guest sends is written to the stream before it is acknowledged,
// and the window is what may still wait there. Towards the guest: the stream's bytes stay in
// a ring until they are acknowledged, and the stream is paused while that is full.
import { checksumOf, fold } from "../checksum.ts";
import type { NetOffloadRequest } from "../net.ts";
import { askFor } from "./arp.ts";
import { get16, put16 } from "./bytes.ts";
import { quote } from "./icmp.ts";
import { type Link, tcpOffloads, writeIpv4 } from "./link.ts";
import { ETHERNET, IPV4, Protocol, pseudoSum } from "./packet.ts";
import { type RingBudget, SendRing } from "./send-ring.ts";
import { isBefore, TCP, TcpFlag, type TcpSegment, writeSynOptions, writeTcp } from "./tcp-segment.ts";
import type { NatFailure, NatStream, NatStreamEvents } from "./transport.ts";

const HEADERS = ETHERNET + IPV4 + TCP;
const SYN_OPTIONS = 8;
/** Most data in a frame that is still to be cut: what fits into an IPv4 packet. */
const MOST_DATA = 0xffff - IPV4 - TCP;
/** Bytes that may wait for the host to take them. */
const RECEIVE_BUFFER = 1024 * 1024;
/** Window scale that such a buffer needs. */
const SCALE = 7;
/** Unacknowledged bytes after which the guest hears at once, before the burst is over. */
const ACK_AT_ONCE = 256 * 1024;

const FIRST_TIMEOUT = 1000;
const LONGEST_TIMEOUT = 60_000;
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

export class Connection implements NatStreamEvents {
  readonly guest: number;
  readonly guestPort: number;
  /** What the guest takes for the other end. */
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
  readonly #ring: SendRing;
  /** A chunk that did not fit into the ring: the stream is paused until it does. */
  #chunk: Uint8Array | undefined;
  #isPaused = false;
  readonly #header = new Uint8Array(HEADERS);
  #isPrepared = false;
  #one: NetOffloadRequest;
  #many: NetOffloadRequest;
  readonly #parts: Uint8Array[] = [];
  readonly #frame: { parts: Uint8Array[]; length: number; offload: NetOffloadRequest };
  /** Sums of what is the same in each segment's IPv4 header, and pseudo header. */
  #ipv4Sum = 0;
  #pseudo = 0;

  // Towards the guest (RFC 9293, 3.3.1): SND.UNA, SND.NXT, SND.WND, and the shift of the latter.
  #unacknowledged: number;
  #next: number;
  #window = 0;
  #scale = 0;
  #mss = 536;
  /** The highest number that was ever sent: what is before it is sent again. */
  #sent: number;
  #duplicates = 0;
  #retries = 0;
  /** When to send again, or to probe; Infinity while there is no need to. */
  #deadline = Number.POSITIVE_INFINITY;
  #timeout = FIRST_TIMEOUT;
  /** When something was sent again. */
  #asked = 0;

  // From the guest: RCV.NXT, and the end of the window that it was told.
  #expected = 0;
  #windowEnd = 0;
  #ourScale = 0;
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
    this.#ring = new SendRing(table.budget);
    this.#unacknowledged = this.#next = this.#sent = table.random() >>> 0;
    const { one, many } = tcpOffloads(this.#mss);
    this.#one = one;
    this.#many = many;
    this.#frame = { parts: this.#parts, length: 0, offload: one };
  }

  /** The stream that the table has got for it. */
  set stream(stream: NatStream) {
    this.#stream = stream;
  }

  /** The guest's SYN. */
  accept(segment: TcpSegment): void {
    this.quoted = quote(segment.packet);
    this.#expected = (segment.sequence + 1) >>> 0;
    this.#windowEnd = this.#expected;
    this.#takeOptions(segment);
    this.#window = segment.window;
  }

  /** Opens a connection to the guest, for a stream that has come to a forwarded port. */
  open(): void {
    this.state = State.SYN_SENT;
    this.#ourScale = SCALE;
    this.#sendSyn();
  }

  /** The guest's hardware address is known, or another. */
  found(): void {
    const mac = this.#table.link.find(this.guest);
    if (mac === undefined || this.state === State.CONNECTING || this.state === State.CLOSED) return;
    if (this.#isPrepared) this.#prepareHeader(mac);
    else if (this.state === State.SYN_SENT) this.#sendSyn();
  }

  #takeOptions(segment: TcpSegment): void {
    const { mss, scale } = segment.readOptions();
    const { mtu } = this.#table.link;
    this.#mss = Math.max(Math.min(mss, mtu - IPV4 - TCP), 64);
    this.#scale = scale ?? 0;
    this.#ourScale = scale === undefined ? 0 : SCALE;
    const { one, many } = tcpOffloads(this.#mss);
    this.#one = one;
    this.#many = many;
  }

  // --- what the stream says ---

  connected(): void {
    if (this.state !== State.CONNECTING) return;
    this.quoted = undefined;
    this.state = State.SYN_RECEIVED;
    this.#sendSyn();
  }

  space(): Uint8Array {
    return this.#isOver ? NOWHERE : this.#ring.space();
  }

  filled(length: number): void {
    if (this.#isOver) return;
    this.#ring.filled(length);
    if (this.#ring.isFull()) this.#pause();
    this.pump();
  }

  data(bytes: Uint8Array): void {
    if (this.#isOver) return;
    if (this.#chunk !== undefined) {
      // It does not stop although it should: that has a bound.
      if (this.#chunk.length + bytes.length > 16 * RECEIVE_BUFFER) {
        this.reset();
        return;
      }
      const both = new Uint8Array(this.#chunk.length + bytes.length);
      both.set(this.#chunk);
      both.set(bytes, this.#chunk.length);
      this.#chunk = both;
      return;
    }
    const taken = this.#ring.write(bytes);
    if (taken < bytes.length) {
      this.#chunk = bytes.slice(taken);
      this.#pause();
    }
    this.pump();
  }

  ended(): void {
    if (this.#hostEnded) return;
    this.#hostEnded = true;
    this.pump();
  }

  drained(): void {
    if (this.state !== State.OPEN || this.#guestEnded) return;
    // Small steps are no news (RFC 9293, 3.8.6.2.2).
    const told = (this.#windowEnd - this.#expected) | 0;
    if (this.#receiveWindow() - told >= RECEIVE_BUFFER / 2) this.#sendAck();
  }

  closed(failure: NatFailure | undefined): void {
    this.#stream = undefined;
    if (this.state === State.CONNECTING) {
      this.#table.failed(this, failure ?? "refused");
      this.#finish();
    } else if (failure !== undefined || !this.#hostEnded) this.reset();
  }

  get #isOver(): boolean {
    return this.state === State.CLOSED || this.state === State.TIME_WAIT;
  }

  #pause(): void {
    if (this.#isPaused) return;
    this.#isPaused = true;
    this.#stream?.pause();
  }

  #resume(): void {
    if (this.#chunk !== undefined) {
      const taken = this.#ring.write(this.#chunk);
      this.#chunk = taken < this.#chunk.length ? this.#chunk.subarray(taken) : undefined;
      if (this.#chunk !== undefined) return;
    }
    if (!this.#isPaused || !this.#ring.hasRoom) return;
    this.#isPaused = false;
    this.#stream?.resume();
  }

  // --- what the guest says (RFC 9293, 3.10.7) ---

  receive(segment: TcpSegment): void {
    switch (this.state) {
      case State.CONNECTING:
        if (segment.has(TcpFlag.RST) && segment.sequence === this.#expected) this.#drop();
        return;
      case State.SYN_SENT:
        this.#receiveInSynSent(segment);
        return;
      case State.CLOSED:
        return;
    }
    const { sequence } = segment;
    const window = this.#openUnits() << this.#ourScale;
    const distance = (sequence - this.#expected) | 0;
    if (segment.has(TcpFlag.RST)) {
      // Only the very number that is expected resets; others in the window are asked about (RFC 5961, 3.2).
      if (distance === 0) this.#drop();
      else if (distance > 0 && distance < window) this.#sendAck();
      return;
    }
    if (segment.has(TcpFlag.SYN)) {
      if (this.state === State.SYN_RECEIVED && ((sequence + 1 - this.#expected) | 0) === 0) this.#sendSyn();
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
    const isOurs = segment.has(TcpFlag.ACK) && segment.acknowledgment === this.#next;
    if (segment.has(TcpFlag.RST)) {
      if (isOurs) this.#drop();
      return;
    }
    if (!segment.has(TcpFlag.SYN) || !isOurs) return;
    this.accept(segment);
    this.quoted = undefined;
    this.#unacknowledged = segment.acknowledgment;
    this.state = State.OPEN;
    this.#rest();
    this.#sendAck();
    this.#advance();
  }

  /** False: nothing more is to be read from the segment. */
  #takeAcknowledgment(segment: TcpSegment): boolean {
    const { acknowledgment } = segment;
    if (isBefore(this.#sent, acknowledgment)) {
      // Of what was never sent.
      if (this.state === State.SYN_RECEIVED) this.reset();
      else this.#sendAck();
      return false;
    }
    if (this.state === State.SYN_RECEIVED) {
      if (acknowledgment !== this.#sent) return false;
      this.state = State.OPEN;
      this.#unacknowledged = acknowledgment;
      this.#next = acknowledgment;
      this.#rest();
    }
    const advance = (acknowledgment - this.#unacknowledged) | 0;
    if (advance < 0) return true;
    // Who answers probes is there, however long its window stays closed.
    if (this.#sent === this.#unacknowledged) this.#retries = 0;
    const window = segment.window << this.#scale;
    if (advance > 0) {
      const fin = this.#finSent && acknowledgment === this.#sent && advance > this.#ring.length ? 1 : 0;
      this.#finAcknowledged ||= fin === 1;
      this.#ring.drop(Math.min(advance - fin, this.#ring.length));
      this.#unacknowledged = acknowledgment;
      if (isBefore(this.#next, acknowledgment)) this.#next = acknowledgment;
      this.#duplicates = 0;
      this.#rest();
      if (this.#isPaused || this.#chunk !== undefined) this.#resume();
    } else if (
      segment.length === 0 &&
      window === this.#window &&
      !segment.has(TcpFlag.FIN) &&
      this.#next !== this.#unacknowledged
    ) {
      // It got something after what it waits for (RFC 5681, 3.2).
      if (++this.#duplicates === DUPLICATES) this.#sendAgain();
    }
    this.#window = window;
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
    // Up to a unit more than there is was told before, by rounding.
    const room = Math.max(((this.#windowEnd - this.#expected) | 0) + (1 << this.#ourScale) - 1, 0);
    const fresh = segment.length - known;
    if (fresh < 0 || (fresh === 0 && !segment.has(TcpFlag.FIN))) {
      this.#silent = ACK_AT_ONCE;
      return;
    }
    const taken = Math.min(fresh, room);
    if (taken > 0) {
      if (this.#stream === undefined) {
        this.reset();
        return;
      }
      this.#stream.write(segment.packet.parts, segment.at + known, taken);
      this.#expected = (this.#expected + taken) >>> 0;
      this.#silent += taken;
    }
    if (taken < fresh) this.#silent = ACK_AT_ONCE;
    else if (segment.has(TcpFlag.FIN)) {
      this.#expected = (this.#expected + 1) >>> 0;
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
    const ring = this.#ring;
    while (true) {
      const inFlight = (this.#next - this.#unacknowledged) | 0;
      const ready = ring.length - inFlight;
      const open = this.#window - inFlight;
      if (ready <= 0 || open <= 0) break;
      let length = Math.min(ready, open, MOST_DATA);
      // No small segments while there are others (RFC 9293, 3.8.6.2.1).
      if (length < this.#mss && length < ready && inFlight > 0) break;
      if (length >= this.#mss && length < ready) length -= length % this.#mss;
      if (!this.#send(TcpFlag.ACK | (length === ready ? TcpFlag.PSH : 0), this.#next, inFlight, length)) return;
      this.#next = (this.#next + length) >>> 0;
      this.#noteSent();
    }
    if (this.#hostEnded && this.#chunk === undefined && !this.#finAcknowledged) {
      const inFlight = (this.#next - this.#unacknowledged) | 0;
      if (inFlight === ring.length && this.#send(TcpFlag.ACK | TcpFlag.FIN, this.#next, 0, 0)) {
        this.#next = (this.#next + 1) >>> 0;
        this.#finSent = true;
        this.#noteSent();
      }
    }
    // A window that is closed may open without our hearing of it.
    if (ring.length > 0 && this.#deadline === Number.POSITIVE_INFINITY) this.#startTimer();
  }

  #noteSent(): void {
    if (isBefore(this.#sent, this.#next)) this.#sent = this.#next;
    if (this.#deadline === Number.POSITIVE_INFINITY) this.#startTimer();
  }

  #startTimer(): void {
    this.#deadline = this.#table.now() + this.#timeout;
    this.#table.needsTime();
  }

  /** Something was acknowledged: time begins anew. */
  #rest(): void {
    this.#retries = 0;
    this.#timeout = FIRST_TIMEOUT;
    this.#deadline = Number.POSITIVE_INFINITY;
    if (this.#sent !== this.#unacknowledged) this.#startTimer();
  }

  /** Time has passed. */
  tick(now: number): void {
    if (this.state === State.TIME_WAIT) {
      if (now >= this.until) this.#finish();
      return;
    }
    if (now < this.#deadline) return;
    this.#deadline = Number.POSITIVE_INFINITY;
    // While there is no room nothing is lost.
    if (this.isBlocked) {
      this.#startTimer();
      return;
    }
    const isOpening = this.state === State.SYN_SENT || this.state === State.SYN_RECEIVED;
    // A guest that sends nothing at all to anybody is paused, or busy: only one that could have answered is given up.
    if (isOpening || this.#table.link.heard > this.#asked) this.#retries++;
    if (this.#retries > (isOpening ? MOST_SYN_RETRIES : MOST_RETRIES)) {
      this.reset();
      return;
    }
    this.#asked = now;
    this.#timeout = Math.min(this.#timeout * 2, LONGEST_TIMEOUT);
    if (isOpening) {
      this.#next = this.#unacknowledged;
      this.#sendSyn();
    } else if (this.#sent !== this.#unacknowledged) this.#sendAgain();
    else {
      // A probe: a number that was acknowledged makes the guest answer with its window.
      this.#send(TcpFlag.ACK, (this.#unacknowledged - 1) >>> 0, 0, 0);
    }
    if (this.state !== State.CLOSED && this.#deadline === Number.POSITIVE_INFINITY) this.#startTimer();
  }

  #sendAgain(): void {
    this.#next = this.#unacknowledged;
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
    const header = new Uint8Array(HEADERS + SYN_OPTIONS);
    const length = TCP + SYN_OPTIONS;
    writeIpv4(header, mac, this.far, this.guest, Protocol.TCP, length, link.nextIdentification());
    const at = ETHERNET + IPV4;
    const flags = TcpFlag.SYN | (isAnswer ? TcpFlag.ACK : 0);
    const window = Math.min(this.#receiveWindow(), 0xffff);
    const mss = Math.min(link.mtu - IPV4 - TCP, MOST_DATA);
    const sequence = this.#unacknowledged;
    writeTcp(header, at, this.farPort, this.guestPort, sequence, isAnswer ? this.#expected : 0, flags, window, length);
    writeSynOptions(header, at + TCP, mss, this.#ourScale === 0 ? undefined : this.#ourScale);
    put16(header, at + 16, fold(pseudoSum(this.far, this.guest, Protocol.TCP, length)));
    this.#prepareHeader(mac);
    if (isAnswer) this.#windowEnd = (this.#expected + window) >>> 0;
    this.#next = this.#sent = (sequence + 1) >>> 0;
    link.put([header], header.length, this.#one);
  }

  /** What is the same in the headers of all segments. */
  #prepareHeader(mac: Uint8Array): void {
    const header = this.#header;
    this.#isPrepared = true;
    writeIpv4(header, mac, this.far, this.guest, Protocol.TCP, 0, 0);
    writeTcp(header, ETHERNET + IPV4, this.farPort, this.guestPort, 0, 0, 0, 0);
    this.#ipv4Sum = (~get16(header, ETHERNET + 10) & 0xffff) - IPV4 + 0xffff;
    this.#pseudo = pseudoSum(this.far, this.guest, Protocol.TCP, 0);
  }

  /** The window in the units in which it is told: rounded up, since its end is not to move back. */
  #openUnits(): number {
    const bytes = Math.max((this.#windowEnd - this.#expected) | 0, 0);
    return Math.ceil(bytes / (1 << this.#ourScale));
  }

  #receiveWindow(): number {
    return Math.max(RECEIVE_BUFFER - (this.#stream?.pending ?? 0), 0);
  }

  #sendAck(): void {
    this.#send(TcpFlag.ACK, this.#next, 0, 0);
  }

  /** Sends `length` bytes from `offset` of the ring, and what is to be acknowledged. False: there was no room. */
  #send(flags: number, sequence: number, offset: number, length: number): boolean {
    const { link } = this.#table;
    const header = this.#header;
    if (!this.#isPrepared) return true;
    // The window's end never moves back, nor forward by less than a segment (RFC 9293, 3.8.6.2.2).
    const end = (this.#expected + this.#receiveWindow()) >>> 0;
    if (((end - this.#windowEnd) | 0) >= this.#mss) this.#windowEnd = end;
    const window = Math.min(this.#openUnits(), 0xffff);

    const identification = link.nextIdentification();
    put16(header, ETHERNET + 2, IPV4 + TCP + length);
    put16(header, ETHERNET + 4, identification);
    put16(header, ETHERNET + 10, checksumOf(this.#ipv4Sum + IPV4 + TCP + length + identification));
    const at = ETHERNET + IPV4;
    writeTcp(header, at, this.farPort, this.guestPort, sequence, this.#expected, flags, window);
    put16(header, at + 16, fold(this.#pseudo + TCP + length));

    const parts = this.#parts;
    parts.length = 0;
    parts.push(header);
    if (length > 0) this.#ring.view(offset, length, parts);
    const frame = this.#frame;
    frame.length = HEADERS + length;
    frame.offload = length > this.#mss ? this.#many : this.#one;
    if (!link.offer(frame)) {
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
    this.#ring.release();
  }

  /** Ends both sides: the guest gets a reset. */
  reset(): void {
    if (this.state === State.CLOSED) return;
    const wasOpen = this.state !== State.CONNECTING && this.state !== State.SYN_SENT && this.state !== State.TIME_WAIT;
    if (wasOpen) this.#send(TcpFlag.RST | TcpFlag.ACK, this.#next, 0, 0);
    this.#drop();
  }

  /** Tells the guest that nobody answers at the port that it calls. */
  sendRefusal(): void {
    const mac = this.#table.link.find(this.guest);
    if (mac === undefined) return;
    this.#prepareHeader(mac);
    this.#send(TcpFlag.RST | TcpFlag.ACK, 0, 0, 0);
  }

  /** Ends both sides without a word: there is no guest any more. */
  abandon(): void {
    this.#drop();
  }

  /** Ends both sides; the guest knows. */
  #drop(): void {
    this.#stream?.abort();
    this.#stream = undefined;
    this.#finish();
  }

  #finish(): void {
    if (this.state === State.CLOSED) return;
    this.state = State.CLOSED;
    this.#chunk = undefined;
    this.#ring.release();
    this.#table.closed(this);
  }
}
