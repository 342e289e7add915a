// A learning switch for the guests of one host (IEEE 802.1Q, 8.7 to 8.9, without VLANs and
// spanning tree). A frame for one port goes from the sender's memory into the receiver's
// buffers with one copy, unfinished where the receiver takes it so.
//
// Everything in it has a bound. A receiver without room gets a queue of some hundreds of
// kilobytes; what does not fit there is dropped, and the sender never waits.

import { NetOffload } from "../../assembly/abi/net.ts";
import type { NetBackend, NetFrame, NetGuest } from "./net.ts";
import { copyFrame } from "./net-offload.ts";
import { beginningOf } from "./parts.ts";

const ALL_OFFLOADS = NetOffload.CHECKSUM | NetOffload.TSO4 | NetOffload.TSO6 | NetOffload.ECN;

const ADDRESSES_MAX = 1024;
/** Milliseconds after which an address that sends nothing is forgotten. */
const ADDRESS_AGE = 300_000;
const QUEUE_BYTES = 4 << 20;
const QUEUE_FRAMES = 4096;
/** A queued frame takes more memory than its bytes. */
const FRAME_COST = 256;

/** What has passed a port of a switch, seen from its guest. */
export interface SwitchPortCounts {
  /** Frames from the guest, and frames that reached it. */
  received: number;
  sent: number;
  /** Frames for the guest that were lost because it was too slow. */
  dropped: number;
}

/** A port of a switch: what one network device of one guest is connected to. */
export interface SwitchPort extends NetBackend {
  readonly counts: Readonly<SwitchPortCounts>;
}

/** Connects guests of this process, which share its thread. */
export interface Switch {
  /** A new port, for one network device. It leaves the switch when its guest ends. */
  port(): SwitchPort;
  /** Ports that guests are connected to now. */
  readonly size: number;
}

/** An address as a number: its 48 bits are exact. */
function addressAt(bytes: Uint8Array, at: number): number {
  const high = (bytes[at] << 8) | bytes[at + 1];
  const low = ((bytes[at + 2] << 24) | (bytes[at + 3] << 16) | (bytes[at + 4] << 8) | bytes[at + 5]) >>> 0;
  return high * 2 ** 32 + low;
}

/** Destination and source stand first in a frame. */
const ADDRESSES = 12;

class Port implements SwitchPort {
  readonly name = "switch";
  readonly accepts = ALL_OFFLOADS;
  readonly dhcp = false;
  readonly counts: SwitchPortCounts = { received: 0, sent: 0, dropped: 0 };
  readonly #lan: Lan;
  #guest: NetGuest | undefined;
  #queue: NetFrame[] = [];
  #queued = 0;

  constructor(lan: Lan) {
    this.#lan = lan;
  }

  open(guest: NetGuest): void {
    this.#guest = guest;
    this.#lan.connect(this);
  }

  send(frame: NetFrame): void {
    this.counts.received++;
    this.#lan.forward(this, frame);
  }

  ready(): void {
    let done = 0;
    while (done < this.#queue.length && this.#give(this.#queue[done])) {
      this.#queued -= this.#queue[done].length + FRAME_COST;
      done++;
    }
    if (done > 0) this.#queue.splice(0, done);
  }

  close(): void {
    this.#guest = undefined;
    this.#queue = [];
    this.#queued = 0;
    this.#lan.disconnect(this);
  }

  /** A frame for this port's guest. */
  deliver(frame: NetFrame): void {
    // Frames stay in order: none passes those that wait.
    if (this.#queue.length === 0 && this.#give(frame)) return;
    const cost = frame.length + FRAME_COST;
    if (this.#guest === undefined || this.#queued + cost > QUEUE_BYTES || this.#queue.length >= QUEUE_FRAMES) {
      this.counts.dropped++;
      return;
    }
    this.#queue.push(copyFrame(frame));
    this.#queued += cost;
  }

  #give(frame: NetFrame): boolean {
    if (this.#guest === undefined || !this.#guest.deliver(frame)) return false;
    this.counts.sent++;
    return true;
  }
}

class Lan implements Switch {
  readonly #ports = new Set<Port>();
  /** In the order in which addresses were last seen to change or age. */
  readonly #addresses = new Map<number, { port: Port; seen: number }>();
  readonly #now: () => number;

  constructor(now: () => number) {
    this.#now = now;
  }

  get size(): number {
    return this.#ports.size;
  }

  port(): SwitchPort {
    return new Port(this);
  }

  connect(port: Port): void {
    this.#ports.add(port);
  }

  disconnect(port: Port): void {
    this.#ports.delete(port);
    for (const [address, entry] of this.#addresses) if (entry.port === port) this.#addresses.delete(address);
  }

  forward(from: Port, frame: NetFrame): void {
    const header = beginningOf(frame.parts, ADDRESSES);
    const isGroup = (header[0] & 1) !== 0;
    // A source that is a group's is no source.
    if ((header[6] & 1) === 0) this.#learn(addressAt(header, 6), from);
    const to = isGroup ? undefined : this.#lookUp(addressAt(header, 0));
    if (to !== undefined) {
      if (to !== from) to.deliver(frame);
      return;
    }
    for (const port of this.#ports) if (port !== from) port.deliver(frame);
  }

  #learn(address: number, port: Port): void {
    const entry = this.#addresses.get(address);
    const seen = this.#now();
    if (entry !== undefined) {
      entry.port = port;
      entry.seen = seen;
      return;
    }
    if (this.#addresses.size >= ADDRESSES_MAX) this.#forgetOne(seen);
    this.#addresses.set(address, { port, seen });
  }

  /** Makes room: what is too old goes, else what was learnt first. */
  #forgetOne(now: number): void {
    for (const [address, { seen }] of this.#addresses) if (now - seen > ADDRESS_AGE) this.#addresses.delete(address);
    if (this.#addresses.size < ADDRESSES_MAX) return;
    for (const address of this.#addresses.keys()) {
      this.#addresses.delete(address);
      return;
    }
  }

  #lookUp(address: number): Port | undefined {
    const entry = this.#addresses.get(address);
    if (entry === undefined) return undefined;
    if (this.#now() - entry.seen <= ADDRESS_AGE) return entry.port;
    this.#addresses.delete(address);
    return undefined;
  }
}

/**
 * A switch between guests: `nets: [{ backend: lan.port() }]` for each of them. It has no
 * addresses of its own and serves none: give guests theirs with `address`, or let them use
 * IPv6's link-local ones.
 */
export function createSwitch(): Switch {
  return new Lan(() => Date.now());
}
