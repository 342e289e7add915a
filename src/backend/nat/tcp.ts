// The guest's TCP connections: a table by addresses and ports, and who is joined to what.
import { fold } from "../checksum.ts";
import { formatAddress, parseAddress } from "./address.ts";
import { isGuests } from "./arp.ts";
import { put16 } from "./bytes.ts";
import { putUnreachable, quote, Unreachable } from "./icmp.ts";
import { type Link, tcpOffloads, writeIpv4 } from "./link.ts";
import type { Names } from "./names.ts";
import { ETHERNET, IPV4, type Packet, Protocol, pseudoSum } from "./packet.ts";
import type { NatPolicy } from "./policy.ts";
import { RingBudget } from "./send-ring.ts";
import { Connection, type ConnectionTable, State } from "./tcp-connection.ts";
import { TCP, TcpFlag, TcpSegment, writeTcp } from "./tcp-segment.ts";
import type { NatAccepted, NatEndpoint, NatFailure, NatTransport } from "./transport.ts";

const DNS_PORT = 53;
const MOST = 1024;
/** Bytes by which the buffers of all connections may grow beyond their first 64 KiB. */
const BUDGET = 256 * 1024 * 1024;
const FIRST_PORT = 49_152;
const PORTS = 16_384;

const UNREACHABLE: Partial<Record<NatFailure, Unreachable>> = {
  unreachable: Unreachable.HOST,
  timeout: Unreachable.HOST,
  prohibited: Unreachable.PROHIBITED,
};

/** Chains of connections that have both ports in common. */
interface Entry {
  readonly connection: Connection;
  readonly next: Entry | undefined;
}

export class Tcp implements ConnectionTable {
  readonly link: Link;
  readonly budget = new RingBudget(BUDGET);
  readonly #transport: NatTransport;
  readonly #policy: NatPolicy;
  readonly #names: Names | undefined;
  readonly #onNeed: () => void;
  readonly #connections = new Map<number, Entry>();
  readonly #segment = new TcpSegment();
  /** The connection of the last segment: the next is most often of the same. */
  #last: Connection | undefined;
  #size = 0;
  #toAcknowledge: Connection[] = [];
  #blocked: Connection[] = [];
  #willSettle = false;
  #saidFull = false;
  #resolver = 0;

  constructor(link: Link, transport: NatTransport, policy: NatPolicy, names: Names | undefined, onNeed: () => void) {
    this.link = link;
    this.#transport = transport;
    this.#policy = policy;
    this.#names = names;
    this.#onNeed = onNeed;
    link.onLearn = (address) => {
      for (const connection of this.#all()) if (connection.guest === address) connection.found();
    };
  }

  get size(): number {
    return this.#size;
  }

  // --- the guest ---

  /** A segment from the guest. */
  receive(packet: Packet): void {
    const segment = this.#segment;
    if (!segment.read(packet)) return;
    const connection = this.#find(packet.source, segment.sourcePort, packet.destination, segment.destinationPort);
    if (connection !== undefined) {
      const isNew = segment.has(TcpFlag.SYN) && !segment.has(TcpFlag.ACK) && connection.state === State.TIME_WAIT;
      if (!isNew) {
        connection.receive(segment);
        return;
      }
      connection.tick(connection.until);
    }
    if (segment.has(TcpFlag.RST)) return;
    if (segment.has(TcpFlag.SYN) && !segment.has(TcpFlag.ACK)) this.#open(packet, segment);
    else this.#refuse(packet, segment);
  }

  #open(packet: Packet, segment: TcpSegment): void {
    const { source, destination } = packet;
    const { sourcePort, destinationPort } = segment;
    if (sourcePort === 0 || destinationPort === 0) return;
    if (!this.#policy.allows("tcp", destination, destinationPort)) {
      this.#tell(packet, Unreachable.PROHIBITED);
      return;
    }
    const to = this.#target(destination, destinationPort);
    if (to === undefined || !this.#makeRoom()) {
      this.#refuse(packet, segment);
      return;
    }
    const connection = new Connection(this, source, sourcePort, destination, destinationPort);
    connection.accept(segment);
    this.#add(connection);
    connection.stream = this.#transport.connect(to, connection);
  }

  /** Where a connection of the guest's leads; undefined: nowhere. */
  #target(address: number, port: number): NatEndpoint | undefined {
    const { host, dns } = this.link.addresses;
    const { loopback } = this.#transport;
    if (address === host) return loopback === undefined ? undefined : { address: loopback, port };
    if (address === dns) {
      const resolvers = this.#transport.resolvers();
      return port === DNS_PORT ? resolvers[this.#resolver % Math.max(resolvers.length, 1)] : undefined;
    }
    return { address: this.#names?.find(address) ?? formatAddress(address), port };
  }

  /** Answers a segment of no connection (RFC 9293, 3.10.7.1). */
  #refuse(packet: Packet, segment: TcpSegment): void {
    const mac = this.link.find(packet.source);
    if (mac === undefined) return;
    const header = new Uint8Array(ETHERNET + IPV4 + TCP);
    const { source, destination } = packet;
    writeIpv4(header, mac, destination, source, Protocol.TCP, TCP, this.link.nextIdentification());
    const { sourcePort, destinationPort, sequence, acknowledgment, length } = segment;
    const hasAck = segment.has(TcpFlag.ACK);
    const occupied = length + (segment.has(TcpFlag.SYN) ? 1 : 0) + (segment.has(TcpFlag.FIN) ? 1 : 0);
    const at = ETHERNET + IPV4;
    if (hasAck) writeTcp(header, at, destinationPort, sourcePort, acknowledgment, 0, TcpFlag.RST, 0);
    else {
      const flags = TcpFlag.RST | TcpFlag.ACK;
      writeTcp(header, at, destinationPort, sourcePort, 0, (sequence + occupied) >>> 0, flags, 0);
    }
    put16(header, at + 16, fold(pseudoSum(destination, source, Protocol.TCP, TCP)));
    this.link.put([header], header.length, RESET_OFFLOAD);
  }

  #tell(packet: Packet, code: Unreachable): void {
    putUnreachable(this.link, packet.source, code, quote(packet));
  }

  // --- the host ---

  /** A connection to a forwarded port of the host. */
  forward(accepted: NatAccepted, guest: number, guestPort: number): void {
    const { host } = this.link.addresses;
    const { address, port } = accepted.from;
    const isLocal = address === this.#transport.loopback;
    const peer = isLocal ? undefined : parseAddress(address);
    const far = peer === undefined || isGuests(this.link.addresses, peer) ? host : peer;
    let farPort = port;
    for (let tries = 0; tries < 8 && this.#find(guest, guestPort, far, farPort) !== undefined; tries++) {
      farPort = FIRST_PORT + (this.#transport.random() % PORTS);
    }
    if (this.#find(guest, guestPort, far, farPort) !== undefined || !this.#makeRoom()) {
      accepted.refuse();
      return;
    }
    const connection = new Connection(this, guest, guestPort, far, farPort);
    this.#add(connection);
    connection.stream = accepted.open(connection);
    connection.open();
  }

  // --- what connections ask for ---

  now(): number {
    return this.#transport.now();
  }

  random(): number {
    return this.#transport.random();
  }

  acknowledgeLater(connection: Connection): void {
    if (connection.isAckListed) return;
    connection.isAckListed = true;
    this.#toAcknowledge.push(connection);
    if (this.#willSettle) return;
    // At the latest when the host's call into the guest is over.
    this.#willSettle = true;
    Promise.resolve().then(() => {
      this.#willSettle = false;
      this.settle();
    });
  }

  blocked(connection: Connection): void {
    if (connection.isBlocked) return;
    connection.isBlocked = true;
    this.#blocked.push(connection);
  }

  needsTime(): void {
    this.#onNeed();
  }

  failed(connection: Connection, failure: NatFailure): void {
    if (connection.far === this.link.addresses.dns) this.#resolver++;
    const { quoted } = connection;
    const code = UNREACHABLE[failure];
    if (code !== undefined && quoted !== undefined) putUnreachable(this.link, connection.guest, code, quoted);
    else connection.sendRefusal();
  }

  closed(connection: Connection): void {
    const key = connection.guestPort * 0x1_0000 + connection.farPort;
    if (this.#last === connection) this.#last = undefined;
    let kept: Entry | undefined;
    let found = false;
    for (let entry = this.#connections.get(key); entry !== undefined; entry = entry.next) {
      if (entry.connection === connection) found = true;
      else kept = { connection: entry.connection, next: kept };
    }
    if (!found) return;
    this.#size--;
    if (kept === undefined) this.#connections.delete(key);
    else this.#connections.set(key, kept);
  }

  // --- the course of things ---

  /** A burst of the guest's is over: acknowledges it. */
  settle(): void {
    if (this.#toAcknowledge.length === 0) return;
    const waiting = this.#toAcknowledge;
    this.#toAcknowledge = [];
    for (const connection of waiting) {
      connection.isAckListed = false;
      connection.settle();
    }
  }

  /** The guest has room again. */
  ready(): void {
    if (this.#blocked.length === 0) return;
    const waiting = this.#blocked;
    this.#blocked = [];
    for (const connection of waiting) connection.isBlocked = false;
    for (const connection of waiting) {
      connection.pump();
      connection.settle();
    }
  }

  /** True while something is to happen some time. */
  get needsTick(): boolean {
    return this.#size > 0;
  }

  tick(now: number): void {
    for (const connection of this.#all()) connection.tick(now);
  }

  close(): void {
    for (const connection of this.#all()) connection.abandon();
    this.#toAcknowledge = [];
    this.#blocked = [];
  }

  // --- the table ---

  #all(): Connection[] {
    const all: Connection[] = [];
    for (let entry of this.#connections.values() as Iterable<Entry | undefined>) {
      for (; entry !== undefined; entry = entry.next) all.push(entry.connection);
    }
    return all;
  }

  #find(guest: number, guestPort: number, far: number, farPort: number): Connection | undefined {
    const last = this.#last;
    if (last !== undefined && isOf(last, guest, guestPort, far, farPort)) return last;
    let entry = this.#connections.get(guestPort * 0x1_0000 + farPort);
    while (entry !== undefined && !isOf(entry.connection, guest, guestPort, far, farPort)) entry = entry.next;
    if (entry !== undefined) this.#last = entry.connection;
    return entry?.connection;
  }

  #add(connection: Connection): void {
    const key = connection.guestPort * 0x1_0000 + connection.farPort;
    this.#connections.set(key, { connection, next: this.#connections.get(key) });
    this.#size++;
  }

  /** Is there a place for one more? One that is over already gives way. */
  #makeRoom(): boolean {
    if (this.#size < MOST) return true;
    const over = this.#all().find(({ state }) => state === State.TIME_WAIT);
    if (over !== undefined) {
      over.tick(over.until);
      return true;
    }
    if (!this.#saidFull) {
      this.#saidFull = true;
      this.link.notice(`the network refuses further connections while the guest has ${MOST}: close some`);
    }
    return false;
  }
}

const RESET_OFFLOAD = tcpOffloads(0).one;

function isOf(connection: Connection, guest: number, guestPort: number, far: number, farPort: number): boolean {
  return (
    connection.guestPort === guestPort &&
    connection.farPort === farPort &&
    connection.far === far &&
    connection.guest === guest
  );
}
