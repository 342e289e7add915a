// The other side of a network that is measured: a host in memory, so that neither sockets nor
// another program are part of a figure. Its TCP services have the ports that tradition gives
// them: 7 echoes (RFC 862), 9 discards (RFC 863). Datagrams are counted. It also calls a port of the guest that listens,
// and sends there without end.
import { Nat } from "../backend/nat/nat.ts";
import { natParts } from "../backend/nat/options.ts";
import type {
  NatAccepted,
  NatDatagrams,
  NatEndpoint,
  NatListener,
  NatStream,
  NatStreamEvents,
  NatTransport,
} from "../backend/nat/transport.ts";
import type { NetBackend, NetFrame, NetGuest } from "../backend/net.ts";
import { copyOut } from "../backend/parts.ts";

const CHUNK = new Uint8Array(64 << 10);

export const Service = { ECHO: 7, DISCARD: 9 } as const;
/** Port of the guest's that call() connects to. */
export const CALLED = 5001;
/** In a frame: the first byte of its type, which is 8 for IPv4, and IPv4's protocol. */
const [ETHER_TYPE, IP_PROTOCOL] = [12, 23];
const ICMP = 1;
/** Stands for what an accepted connection does. */
const SOURCE = -1;

/** Time as the host has it. */
export interface PeerTimes {
  now(): number;
  startTimer(milliseconds: number, wake: () => void): () => void;
}

type Moved = (bytes: number) => void;

class Stream implements NatStream {
  readonly pending = 0;
  isFlowing = true;
  isOver = false;
  readonly #service: number;
  readonly #events: NatStreamEvents;
  readonly #moved: Moved;
  readonly #later: (then: () => void) => void;

  constructor(service: number, events: NatStreamEvents, moved: Moved, later: (then: () => void) => void) {
    this.#service = service;
    this.#events = events;
    this.#moved = moved;
    this.#later = later;
  }

  write(parts: readonly Uint8Array[], offset: number, length: number): void {
    this.#moved(length);
    if (this.#service !== Service.ECHO) return;
    const copy = new Uint8Array(length);
    copyOut(parts, offset, length, copy, 0);
    this.#later(() => this.isOver || this.#events.data(copy));
  }

  /** Sends until the guest has enough for now. */
  go(): void {
    while (this.#service === SOURCE && this.isFlowing && !this.isOver) {
      this.#moved(CHUNK.length);
      this.#events.data(CHUNK);
    }
  }

  pause(): void {
    this.isFlowing = false;
  }

  resume(): void {
    this.isFlowing = true;
  }

  /** Whoever has nothing more to say to echo or discard gets no more from them. */
  end(): void {
    if (this.#service === SOURCE) return;
    this.#later(() => {
      if (this.isOver) return;
      this.isOver = true;
      this.#events.ended();
      this.#events.closed(undefined);
    });
  }

  abort(): void {
    this.isOver = true;
  }
}

class Services implements NatTransport {
  readonly name = "memory";
  readonly loopback = "127.0.0.1";
  readonly takesNames = false;
  readonly #moved: Moved;
  readonly #times: PeerTimes;
  #accept: ((stream: NatAccepted) => void) | undefined;
  /** A connection to the guest is to be made. */
  #isCalling = false;
  #waiting: (() => void)[] = [];
  #streams = new Set<Stream>();

  constructor(moved: Moved, times: PeerTimes) {
    this.#moved = moved;
    this.#times = times;
  }

  /** Connects to the guest when it next asks for an echo. */
  call(): void {
    this.#isCalling = true;
  }

  /** The guest has sent a frame. */
  heard({ parts: [head] }: NetFrame): void {
    if (!this.#isCalling || head[IP_PROTOCOL] !== ICMP || head[ETHER_TYPE] !== 8 || this.#accept === undefined) return;
    this.#isCalling = false;
    this.#accept({
      from: { address: this.loopback, port: 1024 },
      open: (events) => {
        const stream: Stream = new Stream(SOURCE, events, this.#moved, (then) => void this.#waiting.push(then));
        this.#streams.add(stream);
        return stream;
      },
      refuse: () => {},
    });
  }

  /** Does what waited for a call to end. */
  run(): void {
    for (;;) {
      const waiting = this.#waiting;
      this.#waiting = [];
      for (const then of waiting) then();
      for (const stream of this.#streams) {
        if (stream.isOver) this.#streams.delete(stream);
        else stream.go();
      }
      if (this.#waiting.length === 0) return;
    }
  }

  resolvers(): [] {
    return [];
  }

  connect({ port }: NatEndpoint, events: NatStreamEvents): NatStream {
    const stream = new Stream(port, events, this.#moved, (then) => void this.#waiting.push(then));
    const isKnown = Object.values(Service).some((number) => number === port);
    this.#waiting.push(() => {
      if (stream.isOver) return;
      if (!isKnown) {
        stream.isOver = true;
        events.closed("refused");
        return;
      }
      events.connected();
      this.#streams.add(stream);
    });
    return stream;
  }

  /** Every port takes datagrams, and answers none. */
  datagrams(): NatDatagrams {
    return { send: (bytes) => this.#moved(bytes.length), close() {} };
  }

  listen(_at: NatEndpoint, accept: (stream: NatAccepted) => void): Promise<NatListener> {
    this.#accept = accept;
    return Promise.resolve({ port: CALLED, close() {} });
  }

  now(): number {
    return this.#times.now();
  }

  startTimer(milliseconds: number, then: () => void): () => void {
    return this.#times.startTimer(milliseconds, () => {
      then();
      this.run();
    });
  }

  /** Nobody is there to guess sequence numbers. */
  random(): number {
    return 0x1234_5678;
  }

  close(): void {
    for (const stream of this.#streams) stream.isOver = true;
    this.#waiting = [];
  }
}

/** A network 10.0.`number`.0/24 whose host is .2; `moved` hears of the bytes that its services take and give. */
export class NetPeer implements NetBackend {
  readonly name = "peer";
  readonly #services: Services;
  readonly #nat: Nat;

  constructor(number: number, moved: Moved, times: PeerTimes) {
    this.#services = new Services(moved, times);
    const at = (host: string) => `10.0.${number}.${host}`;
    const parts = natParts({
      net: at("0/24"),
      host: at("2"),
      dns: at("3"),
      dhcpstart: at("15"),
      hostfwd: [`tcp::${CALLED}-:${CALLED}`],
    });
    this.#nat = new Nat({ name: this.name, ...parts, transport: this.#services });
  }

  get accepts(): number {
    return this.#nat.accepts;
  }

  open(guest: NetGuest): void {
    this.#nat.open(guest);
  }

  /** Connects to port CALLED of the guest when it next asks for an echo, and sends there without end. */
  call(): void {
    this.#services.call();
  }

  prepare(): Promise<void> {
    return this.#nat.prepare();
  }

  send(frame: NetFrame): void {
    this.#nat.send(frame);
    this.#services.heard(frame);
    this.#services.run();
  }

  settle(): void {
    this.#nat.settle();
    this.#services.run();
  }

  ready(): void {
    this.#nat.ready();
    this.#services.run();
  }

  close(): void {
    this.#nat.close();
  }
}
