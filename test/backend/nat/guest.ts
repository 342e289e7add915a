// A guest for tests of networks: it speaks Ethernet, ARP, IPv4, UDP and TCP, checks every sum
// that it gets, and does as it is told where a real one would do as it likes.
import { NetGso, NetOffload } from "../../../assembly/abi/net.ts";
import { checksumOf, fold } from "../../../src/backend/checksum.ts";
import { get16, get32, put16, put32, sumParts } from "../../../src/backend/nat/bytes.ts";
import type { NetBackend, NetFrame, NetGuest, NetOffloadRequest } from "../../../src/backend/net.ts";
import { copyFrame, finishFrame, flatten } from "../../../src/backend/net-offload.ts";

export const MAC = Uint8Array.of(0x52, 0x54, 0, 0x12, 0x34, 0x56);
export const GUEST = ip("10.0.2.15");
export const HOST = ip("10.0.2.2");
export const DNS = ip("10.0.2.3");
const ANY_MAC = new Uint8Array(6).fill(0xff);

export const Flag = { FIN: 1, SYN: 2, RST: 4, PSH: 8, ACK: 16 } as const;

export function ip(text: string): number {
  return text.split(".").reduce((number, part) => number * 256 + Number(part), 0);
}

export function pseudo(source: number, destination: number, protocol: number, length: number): number {
  return (source >>> 16) + (source & 0xffff) + (destination >>> 16) + (destination & 0xffff) + protocol + length;
}

/** An IPv4 packet in a frame. */
export function ipv4(
  source: number,
  destination: number,
  protocol: number,
  payload: Uint8Array,
  fragment = 0,
  identification = 7,
): Uint8Array {
  const frame = new Uint8Array(34 + payload.length);
  frame.set(ANY_MAC, 0);
  frame.set(MAC, 6);
  put16(frame, 12, 0x0800);
  frame[14] = 0x45;
  put16(frame, 16, 20 + payload.length);
  put16(frame, 18, identification);
  put16(frame, 20, fragment);
  frame[22] = 64;
  frame[23] = protocol;
  put32(frame, 26, source);
  put32(frame, 30, destination);
  put16(frame, 24, checksumOf(sumParts([frame], 14, 20)));
  frame.set(payload, 34);
  return frame;
}

export function udp(source: number, port: number, destination: number, to: number, data: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(8 + data.length);
  put16(bytes, 0, port);
  put16(bytes, 2, to);
  put16(bytes, 4, bytes.length);
  bytes.set(data, 8);
  const sum = checksumOf(pseudo(source, destination, 17, bytes.length) + sumParts([bytes], 0, bytes.length));
  put16(bytes, 6, sum || 0xffff);
  return bytes;
}

export interface Tcp {
  sequence: number;
  acknowledgment?: number;
  flags: number;
  window?: number;
  options?: readonly number[];
  data?: Uint8Array;
}

export function tcp(source: number, port: number, destination: number, to: number, segment: Tcp): Uint8Array {
  const { options = [], data = new Uint8Array(0) } = segment;
  const bytes = new Uint8Array(20 + options.length + data.length);
  put16(bytes, 0, port);
  put16(bytes, 2, to);
  put32(bytes, 4, segment.sequence);
  put32(bytes, 8, segment.acknowledgment ?? 0);
  bytes[12] = (5 + options.length / 4) << 4;
  bytes[13] = segment.flags;
  put16(bytes, 14, segment.window ?? 0xffff);
  bytes.set(options, 20);
  bytes.set(data, 20 + options.length);
  put16(bytes, 16, checksumOf(pseudo(source, destination, 6, bytes.length) + sumParts([bytes], 0, bytes.length)));
  return bytes;
}

/** A packet that the guest got, whose sums are right. */
export interface Got {
  source: number;
  destination: number;
  protocol: number;
  fragment: number;
  payload: Uint8Array;
  frame: Uint8Array;
  offload: NetOffloadRequest | undefined;
}

export class TestGuest implements NetGuest {
  readonly backend: NetBackend;
  mtu = 1500;
  /** All that came, in order. */
  readonly frames: Uint8Array[] = [];
  readonly packets: Got[] = [];
  readonly notices: string[] = [];
  readonly connections: TestConnection[] = [];
  isUp = true;
  /** Frames that there is room for. */
  room = Number.POSITIVE_INFINITY;
  #waiters: (() => void)[] = [];

  constructor(backend: NetBackend) {
    this.backend = backend;
    backend.open(this);
  }

  deliver(frame: NetFrame): boolean {
    if (this.room <= 0) return false;
    this.room--;
    const { offload } = frame;
    const copy = copyFrame(frame);
    // What is undone is done here, and is seen to come out right.
    if (offload?.segment !== undefined) {
      let payload = 0;
      finishFrame(copy, NetOffload.NONE, (finished) => {
        const bytes = flatten(finished);
        check(bytes);
        payload += bytes.length - offload.segment!.headerLength;
        if (bytes.length > this.mtu + 14) throw new Error("a segment is larger than the MTU");
      });
      if (payload !== frame.length - offload.segment.headerLength) throw new Error("segments lose bytes");
      this.#take(flatten(copy), offload);
    } else finishFrame(copy, NetOffload.NONE, (finished) => this.#take(check(flatten(finished)), offload));
    for (const wake of this.#waiters.splice(0)) wake();
    return true;
  }

  setLink(up: boolean): void {
    this.isUp = up;
  }

  notice(message: string): void {
    this.notices.push(message);
  }

  /** Gives room for frames that were refused. */
  giveRoom(frames = Number.POSITIVE_INFINITY): void {
    this.room = frames;
    this.backend.ready();
  }

  send(bytes: Uint8Array, offload?: NetOffloadRequest, cuts: readonly number[] = []): void {
    const parts: Uint8Array[] = [];
    let at = 0;
    for (const cut of [...cuts, bytes.length]) {
      if (cut <= at || cut > bytes.length) continue;
      parts.push(bytes.subarray(at, cut));
      at = cut;
    }
    this.backend.send({ parts, length: bytes.length, offload });
  }

  sendUdp(port: number, destination: number, to: number, data: Uint8Array): void {
    this.send(ipv4(GUEST, destination, 17, udp(GUEST, port, destination, to, data)));
  }

  /** Resolves when `found` finds something; looks again after each frame. */
  async until<T>(found: () => T | undefined | false, what: string): Promise<T> {
    const end = Date.now() + 8000;
    for (;;) {
      const result = found();
      if (result !== undefined && result !== false) return result;
      if (Date.now() > end) throw new Error(`nothing came of it: ${what}`);
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, 50);
        this.#waiters.push(() => {
          clearTimeout(timer);
          resolve();
        });
      });
    }
  }

  connect(destination: number, to: number, options: Partial<TestConnection> = {}): TestConnection {
    const connection = new TestConnection(this, 40_000 + this.connections.length, destination, to, false);
    Object.assign(connection, options);
    this.connections.push(connection);
    connection.sendSyn();
    return connection;
  }

  /** Takes connections to `port`. */
  listen(port: number, options: Partial<TestConnection> = {}): void {
    this.#listening.set(port, options);
  }
  readonly #listening = new Map<number, Partial<TestConnection>>();

  #take(frame: Uint8Array, offload: NetOffloadRequest | undefined): void {
    this.frames.push(frame);
    const type = get16(frame, 12);
    if (type === 0x0806) {
      this.#answerArp(frame);
      return;
    }
    if (type !== 0x0800) return;
    const source = get32(frame, 26);
    const destination = get32(frame, 30);
    const payload = frame.subarray(34, 14 + get16(frame, 16));
    const got = { source, destination, protocol: frame[23], fragment: get16(frame, 20), payload, frame, offload };
    this.packets.push(got);
    // As in a guest, nothing is done about it before deliver() has returned.
    if (got.protocol === 6) queueMicrotask(() => this.#segment(got));
  }

  #segment({ payload, source }: Got): void {
    const port = get16(payload, 2);
    const from = get16(payload, 0);
    let connection = this.connections.find((it) => it.port === port && it.to === from && it.far === source);
    const options = this.#listening.get(port);
    if (connection === undefined && options !== undefined && payload[13] === Flag.SYN) {
      connection = new TestConnection(this, port, source, from, true);
      Object.assign(connection, options);
      this.connections.push(connection);
    }
    connection?.receive(payload);
  }

  #answerArp(frame: Uint8Array): void {
    if (get16(frame, 20) !== 1 || get32(frame, 38) !== GUEST) return;
    this.send(arp(2, GUEST, frame.slice(22, 28), get32(frame, 28)));
  }
}

export function arp(operation: number, sender: number, targetMac: Uint8Array, target: number): Uint8Array {
  const frame = new Uint8Array(42);
  frame.set(ANY_MAC, 0);
  frame.set(MAC, 6);
  put16(frame, 12, 0x0806);
  frame.set([0, 1, 8, 0, 6, 4, 0, operation], 14);
  frame.set(MAC, 22);
  put32(frame, 28, sender);
  frame.set(targetMac, 32);
  put32(frame, 38, target);
  return frame;
}

/** The frame, if its sums are right. */
function check(frame: Uint8Array): Uint8Array {
  if (get16(frame, 12) !== 0x0800) return frame;
  if (fold(sumParts([frame], 14, 20)) !== 0xffff) throw new Error("the sum of an IPv4 header is wrong");
  const length = get16(frame, 16) - 20;
  if (34 + length > frame.length) throw new Error("an IPv4 packet is longer than its frame");
  const protocol = frame[23];
  const isFragment = (get16(frame, 20) & 0x3fff) !== 0;
  if ((protocol === 6 || protocol === 17) && !isFragment) {
    const sum = pseudo(get32(frame, 26), get32(frame, 30), protocol, length) + sumParts([frame], 34, length);
    if (fold(sum) !== 0xffff) throw new Error(`the sum of a packet of protocol ${protocol} is wrong`);
  }
  if (protocol === 1 && fold(sumParts([frame], 34, length)) !== 0xffff) throw new Error("an ICMP sum is wrong");
  return frame;
}

/** The guest's end of a connection. */
export class TestConnection {
  readonly guest: TestGuest;
  readonly port: number;
  readonly far: number;
  readonly to: number;
  /** Acknowledges what it gets at once. */
  acknowledges = true;
  /** Bytes that it has room for beyond what it has got. */
  window = 1 << 20;
  scale = 7;
  state: "opening" | "open" | "reset" = "opening";
  farEnded = false;
  received: Uint8Array[] = [];
  receivedLength = 0;
  /** Segments that carried something that was known. */
  repeated = 0;
  sequence = 1000;
  acknowledged = 1000;
  expected = 0;
  /** What it may send up to. */
  farWindowEnd = 0;
  #farScale = 0;
  readonly #isPassive: boolean;

  constructor(guest: TestGuest, port: number, far: number, to: number, isPassive: boolean) {
    this.guest = guest;
    this.port = port;
    this.far = far;
    this.to = to;
    this.#isPassive = isPassive;
  }

  get bytes(): Uint8Array {
    return Buffer.concat(this.received);
  }

  put(segment: Partial<Tcp>, offload?: NetOffloadRequest, cuts?: readonly number[]): void {
    const bytes = tcp(GUEST, this.port, this.far, this.to, {
      sequence: this.sequence,
      acknowledgment: this.expected,
      flags: Flag.ACK,
      window: Math.min(this.window >> this.scale, 0xffff),
      ...segment,
    });
    if (offload !== undefined) put16(bytes, 16, fold(pseudo(GUEST, this.far, 6, bytes.length)));
    this.guest.send(ipv4(GUEST, this.far, 6, bytes), offload, cuts);
  }

  sendSyn(flags: number = Flag.SYN): void {
    this.put({
      flags,
      window: Math.min(this.window, 0xffff),
      options: [2, 4, 5, 0xb4, 1, 3, 3, this.scale],
    });
  }

  /** Bytes that may be sent now. */
  get room(): number {
    return (this.farWindowEnd - this.sequence) | 0;
  }

  /** Sends data as one segment that is still to be cut, unsummed. */
  send(data: Uint8Array, flags: number = Flag.ACK | Flag.PSH): void {
    const checksum = { start: 34, offset: 16 };
    const segment = { type: NetGso.TCPV4, size: 1460, headerLength: 54 };
    this.put({ data, flags }, data.length > 1460 ? { checksum, segment } : { checksum }, [54, 70, 5000, 40_001]);
    this.sequence = (this.sequence + data.length) >>> 0;
  }

  /** The same within the window, in pieces of `size`, waiting as needed. */
  async sendAll(data: Uint8Array, size = 65_000): Promise<void> {
    for (let at = 0; at < data.length; ) {
      const length = await this.guest.until(() => Math.min(size, data.length - at, this.room) || false, "a window");
      if (length < 0) throw new Error("the window has moved back");
      this.send(data.subarray(at, at + length));
      at += length;
    }
  }

  end(): void {
    this.put({ flags: Flag.ACK | Flag.FIN });
    this.sequence = (this.sequence + 1) >>> 0;
  }

  acknowledge(): void {
    this.put({});
  }

  receive(segment: Uint8Array): void {
    const flags = segment[13];
    const sequence = get32(segment, 4);
    const acknowledgment = get32(segment, 8);
    if ((flags & Flag.RST) !== 0) {
      this.state = "reset";
      return;
    }
    if ((flags & Flag.SYN) !== 0) {
      this.#farScale = segment[26] === 3 || segment[25] === 3 ? segment[27] : 0;
      this.expected = (sequence + 1) >>> 0;
      if (this.#isPassive) {
        this.farWindowEnd = this.sequence + get16(segment, 14);
        this.sendSyn(Flag.SYN | Flag.ACK);
        this.sequence = this.acknowledged + 1;
        return;
      }
      this.sequence = acknowledgment;
      this.acknowledged = acknowledgment;
      this.farWindowEnd = (acknowledgment + get16(segment, 14)) >>> 0;
      this.state = "open";
      this.acknowledge();
      return;
    }
    this.state = "open";
    this.acknowledged = acknowledgment;
    const windowEnd = (acknowledgment + (get16(segment, 14) << this.#farScale)) >>> 0;
    // It may shrink by less than the unit in which it is told.
    if (((windowEnd - this.farWindowEnd) | 0) <= -128) throw new Error("the window has shrunk");
    if (((windowEnd - this.farWindowEnd) | 0) > 0) this.farWindowEnd = windowEnd;
    const data = segment.subarray((segment[12] >> 4) * 4);
    const known = (this.expected - sequence) | 0;
    const hasFin = (flags & Flag.FIN) !== 0;
    if (data.length === 0 && !hasFin) {
      if (known > 0) this.acknowledge();
      return;
    }
    if (known < 0) throw new Error("something was left out");
    if (known > 0) this.repeated++;
    const fresh = data.subarray(known, known + this.window);
    if (fresh.length > 0) {
      this.received.push(fresh.slice());
      this.receivedLength += fresh.length;
      this.expected = (this.expected + fresh.length) >>> 0;
    }
    if (hasFin && known <= data.length && known + fresh.length === data.length) {
      this.expected = (this.expected + 1) >>> 0;
      this.farEnded = true;
    }
    if (this.acknowledges) this.acknowledge();
  }
}

/** Bytes that differ from place to place. */
export function pattern(length: number, salt = 1): Uint8Array {
  const bytes = new Uint8Array(length);
  for (let i = 0; i < length; i++) bytes[i] = (i * 7 + (i >> 8) * 13 + (i >> 16) * 5 + salt) & 0xff;
  return bytes;
}
