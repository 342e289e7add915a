// UDP (RFC 768): each of the guest's sockets is one of the host's, whoever it talks to (an
// endpoint-independent mapping, RFC 4787), and is forgotten when nobody has sent for a while.
import { formatAddress, parseAddress } from "./address.ts";
import { get16 } from "./bytes.ts";
import { putUnreachable, quote, Unreachable } from "./icmp.ts";
import type { Link } from "./link.ts";
import type { Names } from "./names.ts";
import type { Packet } from "./packet.ts";
import type { NatDatagrams, NatEndpoint, NatTransport } from "./transport.ts";

const HEADER = 8;
const DNS_PORT = 53;
const MOST = 512;
/** Milliseconds without a datagram (RFC 4787, 4.3), and what is enough for an answer of a DNS server. */
const LIFETIME = 120_000;
const DNS_LIFETIME = 15_000;

interface Association {
  readonly guest: number;
  readonly port: number;
  readonly socket: NatDatagrams;
  /** Where a DNS query went. */
  readonly resolver: NatEndpoint | undefined;
  answered: boolean;
  /** Infinity for a forwarded port. */
  end: number;
  /** The last address that was sent to, as text. */
  to: number;
  text: string;
}

export class Udp {
  readonly #link: Link;
  readonly #transport: NatTransport;
  readonly #names: Names | undefined;
  /** By guest address and port; queries to the DNS server by themselves. */
  readonly #associations = new Map<number, Association>();
  readonly #queries = new Map<number, Association>();
  /** Which of the host's DNS servers is asked. */
  #resolver = 0;

  constructor(link: Link, transport: NatTransport, names: Names | undefined) {
    this.#link = link;
    this.#transport = transport;
    this.#names = names;
  }

  get size(): number {
    return this.#associations.size + this.#queries.size;
  }

  /** True while something has to be forgotten some time. */
  get needsTime(): boolean {
    return this.size > 0;
  }

  close(): void {
    for (const map of [this.#associations, this.#queries]) {
      for (const { socket } of map.values()) socket.close();
      map.clear();
    }
  }

  /** Forgets what is over. */
  tick(now: number): void {
    for (const map of [this.#associations, this.#queries]) {
      for (const [key, association] of map) {
        if (association.end > now) continue;
        map.delete(key);
        association.socket.close();
        // A server that answers nothing: the next query goes to another.
        if (association.resolver !== undefined && !association.answered) this.#resolver++;
      }
    }
  }

  /** A forwarded port: what the guest sends from there goes out through this socket. */
  forward(guest: number, port: number, socket: NatDatagrams): void {
    const key = guest * 0x1_0000 + port;
    this.#associations.get(key)?.socket.close();
    this.#associations.set(key, this.#associate(guest, port, socket, undefined, Number.POSITIVE_INFINITY));
  }

  /** A datagram to a forwarded port. */
  arrived(guest: number, port: number, bytes: Uint8Array, from: NatEndpoint): void {
    const source = this.#source(from.address);
    if (source !== undefined) this.#link.putUdp(source, from.port, guest, port, bytes);
  }

  /** A datagram from the guest that may pass. */
  receive(packet: Packet): void {
    const { head, at, source, destination } = packet;
    const length = get16(head, at + 4);
    if (length < HEADER || length > packet.length) return;
    const port = get16(head, at);
    const to = get16(head, at + 2);
    if (port === 0 || to === 0) return;
    const { dns, host } = this.#link.addresses;
    const now = this.#transport.now();
    if (destination === dns) {
      if (to !== DNS_PORT) putUnreachable(this.#link, source, Unreachable.PORT, quote(packet));
      else if (this.#names !== undefined) {
        const answer = this.#names.answer(packet.copy(HEADER, length - HEADER));
        if (answer !== undefined) this.#link.putUdp(dns, DNS_PORT, source, port, answer);
      } else this.#query(packet, source, port, length - HEADER, now);
      return;
    }
    if (destination === host && this.#transport.loopback === undefined) {
      putUnreachable(this.#link, source, Unreachable.PORT, quote(packet));
      return;
    }
    const association = this.#find(source, port, now);
    if (association === undefined) {
      putUnreachable(this.#link, source, Unreachable.HOST, quote(packet));
      return;
    }
    if (association.to !== destination) {
      const loopback = destination === host ? this.#transport.loopback : undefined;
      association.text = loopback ?? this.#names?.find(destination) ?? formatAddress(destination);
      association.to = destination;
    }
    if (association.end !== Number.POSITIVE_INFINITY) association.end = now + LIFETIME;
    association.socket.send(packet.copy(HEADER, length - HEADER), { address: association.text, port: to });
  }

  #query(packet: Packet, guest: number, port: number, length: number, now: number): void {
    const key = guest * 0x1_0000 + port;
    let query = this.#queries.get(key);
    if (query === undefined) {
      const resolvers = this.#transport.resolvers();
      const resolver = resolvers[this.#resolver % Math.max(resolvers.length, 1)];
      if (resolver === undefined) {
        putUnreachable(this.#link, guest, Unreachable.PORT, quote(packet));
        return;
      }
      this.#makeRoom(this.#queries);
      const socket = this.#transport.datagrams(resolver.address.includes(":") ? 6 : 4, {
        received: (bytes, from) => {
          if (this.#queries.get(key) !== query || query === undefined) return;
          if (from.address !== resolver.address || from.port !== resolver.port) return;
          query.answered = true;
          query.end = this.#transport.now() + DNS_LIFETIME;
          this.#link.putUdp(this.#link.addresses.dns, DNS_PORT, guest, port, bytes);
        },
        closed: () => {
          if (this.#queries.get(key) === query) this.#queries.delete(key);
        },
      });
      if (socket === undefined) return;
      query = this.#associate(guest, port, socket, resolver, now + DNS_LIFETIME);
      this.#queries.set(key, query);
    }
    query.socket.send(packet.copy(HEADER, length), query.resolver as NatEndpoint);
  }

  #find(guest: number, port: number, now: number): Association | undefined {
    const key = guest * 0x1_0000 + port;
    const known = this.#associations.get(key);
    if (known !== undefined) return known;
    this.#makeRoom(this.#associations);
    let association: Association | undefined;
    const socket = this.#transport.datagrams(4, {
      received: (bytes, from) => {
        const source = this.#source(from.address);
        if (association === undefined || source === undefined) return;
        association.end = this.#transport.now() + LIFETIME;
        this.#link.putUdp(source, from.port, guest, port, bytes);
      },
      closed: () => {
        if (this.#associations.get(key) === association) this.#associations.delete(key);
      },
    });
    if (socket === undefined) return undefined;
    association = this.#associate(guest, port, socket, undefined, now + LIFETIME);
    this.#associations.set(key, association);
    return association;
  }

  #associate(
    guest: number,
    port: number,
    socket: NatDatagrams,
    resolver: NatEndpoint | undefined,
    end: number,
  ): Association {
    return { guest, port, socket, resolver, answered: false, end, to: -1, text: "" };
  }

  /** What the guest sees a host's address as. */
  #source(address: string): number | undefined {
    if (address === this.#transport.loopback) return this.#link.addresses.host;
    return this.#names?.findName(address) ?? parseAddress(address);
  }

  /** Forgets what has been quiet the longest if there are too many. */
  #makeRoom(map: Map<number, Association>): void {
    if (map.size < MOST) return;
    let oldest: [number, Association] | undefined;
    for (const entry of map) {
      if (entry[1].end !== Number.POSITIVE_INFINITY && (oldest === undefined || entry[1].end < oldest[1].end)) {
        oldest = entry;
      }
    }
    if (oldest === undefined) return;
    map.delete(oldest[0]);
    oldest[1].socket.close();
  }
}
