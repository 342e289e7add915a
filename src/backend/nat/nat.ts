// A network for one guest behind the host's own connections: Ethernet and IPv4 on one side,
// streams and datagrams of a transport on the other. Needs no rights, since no packet of the
// guest's ever leaves as one.
import type { NetBackend, NetFrame, NetGuest } from "../net.ts";
import { formatAddress, type NatAddresses } from "./address.ts";
import { isGuests, receiveArp } from "./arp.ts";
import { get16 } from "./bytes.ts";
import { DHCP_SERVER_PORT, DhcpServer } from "./dhcp.ts";
import { describeForward, type NatForward } from "./forward.ts";
import { Fragments } from "./fragments.ts";
import { Icmp, putUnreachable, quote, Unreachable } from "./icmp.ts";
import { BROADCAST, Link } from "./link.ts";
import { Names } from "./names.ts";
import { EtherType, NAT_ACCEPTS, Packet, Protocol } from "./packet.ts";
import type { NatPolicy } from "./policy.ts";
import { Tcp } from "./tcp.ts";
import type { NatListener, NatTransport } from "./transport.ts";
import { Udp } from "./udp.ts";

const TICK = 200;
/** Where a frame has its sender's hardware address. */
const SENDER = 6;

export interface NatParts {
  /** For messages: "user", "wisp wss://...". */
  name: string;
  addresses: NatAddresses;
  policy: NatPolicy;
  forwards: readonly NatForward[];
  transport: NatTransport;
}

/** A port that the host forwards, with the number that it got. */
export interface OpenForward extends NatForward {
  hostPort: number;
}

export class Nat implements NetBackend {
  readonly name: string;
  readonly accepts = NAT_ACCEPTS;
  readonly #parts: NatParts;
  readonly #link: Link;
  readonly #packet = new Packet();
  readonly #fragments = new Fragments();
  readonly #dhcp: DhcpServer;
  readonly #icmp: Icmp;
  readonly #udp: Udp;
  readonly #tcp: Tcp;
  readonly #listeners: NatListener[] = [];
  readonly #opened: OpenForward[] = [];
  #prepared: Promise<void> | undefined;
  #cancelTick: (() => void) | undefined;
  #closed = false;

  constructor(parts: NatParts) {
    const { name, addresses, policy, transport } = parts;
    this.name = name;
    this.#parts = parts;
    this.#link = new Link(addresses);
    const names = transport.takesNames ? new Names() : undefined;
    this.#dhcp = new DhcpServer(this.#link, policy.restrict);
    this.#icmp = new Icmp(this.#link, policy, transport);
    this.#udp = new Udp(this.#link, transport, names);
    this.#tcp = new Tcp(this.#link, transport, policy, names, () => this.#needTime());
  }

  /** Ports of the host that lead into the guest, once prepare() is done. */
  get forwards(): readonly OpenForward[] {
    return this.#opened;
  }

  /** What the guest uses now. */
  get usage(): { connections: number; associations: number } {
    return { connections: this.#tcp.size, associations: this.#udp.size };
  }

  /** Takes the ports that are forwarded. Can be called again. @throws OptionError for one that cannot be had. */
  prepare(): Promise<void> {
    this.#prepared ??= this.#listen();
    return this.#prepared;
  }

  open(guest: NetGuest): void {
    this.#link.open(guest);
    for (const forward of this.#opened) {
      if (this.#parts.forwards.some((asked) => asked.hostPort === 0 && asked.guestPort === forward.guestPort)) {
        guest.notice(`network ${this.name} forwards ${describeForward(forward)}`);
      }
    }
    this.prepare().catch((error: Error) => guest.notice(error.message));
  }

  send(frame: NetFrame): void {
    if (this.#closed || frame.length < 14) return;
    const packet = this.#packet;
    this.#link.heard = this.#parts.transport.now();
    packet.begin(frame);
    switch (get16(packet.head, 12)) {
      case EtherType.ARP:
        receiveArp(this.#link, packet);
        break;
      case EtherType.IPV4:
        if (packet.readIpv4(frame)) this.#receive(packet);
        break;
      // IPv6 gets no answer, no router says that there is any: guests use IPv4.
    }
  }

  ready(): void {
    if (this.#link.ready()) this.#tcp.ready();
  }

  settle(): void {
    this.#tcp.settle();
    this.#parts.transport.settle?.();
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#cancelTick?.();
    this.#link.close();
    for (const listener of this.#listeners) listener.close();
    this.#icmp.close();
    this.#udp.close();
    this.#tcp.close();
    this.#fragments.clear();
    this.#parts.transport.close();
  }

  #receive(packet: Packet): void {
    const { source, destination } = packet;
    if (packet.hasMore || packet.fragmentOffset > 0) {
      if (!isGuests(this.#link.addresses, source)) return;
      if (!this.#fragments.add(packet, this.#parts.transport.now())) return;
    }
    const isUdp = packet.protocol === Protocol.UDP;
    if (isUdp && (packet.length < 8 || !this.#isDatagramWhole(packet))) return;
    if (isUdp && get16(packet.head, packet.at + 2) === DHCP_SERVER_PORT) {
      const { host } = this.#link.addresses;
      if (destination === BROADCAST || destination === host) this.#dhcp.receive(packet);
      return;
    }
    if (!isGuests(this.#link.addresses, source) || !this.#isHostOrOutside(packet)) return;
    this.#link.learn(source, packet.head, SENDER);
    switch (packet.protocol) {
      case Protocol.TCP:
        if (packet.isSumRight()) this.#tcp.receive(packet);
        break;
      case Protocol.UDP:
        if (this.#parts.policy.allows("udp", destination, get16(packet.head, packet.at + 2))) this.#udp.receive(packet);
        else putUnreachable(this.#link, source, Unreachable.PROHIBITED, quote(packet));
        break;
      case Protocol.ICMP:
        this.#icmp.receive(packet);
        break;
    }
    this.#needTime();
  }

  /** A sum of 0 says that there is none (RFC 768). */
  #isDatagramWhole(packet: Packet): boolean {
    return get16(packet.head, packet.at + 6) === 0 || packet.isSumRight();
  }

  /** May anything be there? Groups, other guests, and what is no address of anybody are not. */
  #isHostOrOutside(packet: Packet): boolean {
    const { source, destination } = packet;
    const { host, dns, net } = this.#link.addresses;
    if (destination === host || destination === dns) return true;
    const first = destination >>> 24;
    if (first === 0 || first === 127 || first >= 224 || source === destination) return false;
    if ((destination & net.mask) >>> 0 !== net.address) return true;
    if (isGuests(this.#link.addresses, destination)) {
      putUnreachable(this.#link, source, Unreachable.HOST, quote(packet));
    }
    return false;
  }

  /** One timer for everything, and none while there is nothing. */
  #needTime(): void {
    if (this.#cancelTick !== undefined || this.#closed) return;
    if (!this.#tcp.needsTick && !this.#udp.needsTime) return;
    this.#cancelTick = this.#parts.transport.startTimer(TICK, () => {
      this.#cancelTick = undefined;
      const now = this.#parts.transport.now();
      this.#tcp.tick(now);
      this.#udp.tick(now);
      this.#needTime();
    });
  }

  async #listen(): Promise<void> {
    const { forwards, transport, name } = this.#parts;
    for (const forward of forwards) {
      const at = { address: forward.hostAddress, port: forward.hostPort };
      const { guestAddress, guestPort, protocol } = forward;
      let listener: NatListener | undefined;
      if (protocol === "tcp") {
        listener = await transport.listen?.(at, (accepted) => {
          if (this.#closed) accepted.refuse();
          else this.#tcp.forward(accepted, guestAddress, guestPort);
        });
      } else {
        const socket = await transport.listenDatagrams?.(at, {
          received: (bytes, from) => this.#udp.arrived(guestAddress, guestPort, bytes, from),
          closed: () => {},
        });
        if (socket !== undefined) this.#udp.forward(guestAddress, guestPort, socket);
        listener = socket;
      }
      if (listener === undefined)
        throw new Error(`network ${name} forwards no ports of ${formatAddress(guestAddress)}`);
      if (this.#closed) listener.close();
      this.#listeners.push(listener);
      this.#opened.push({ ...forward, hostPort: listener.port });
    }
  }
}
