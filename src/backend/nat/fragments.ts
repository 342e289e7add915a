// Reassembly of the guest's IPv4 fragments (RFC 791, 3.2): for datagrams larger than its MTU.
// Few at a time, of bounded size, and none for long. What overlaps is dropped with all of
// its datagram (as RFC 5722 has it for IPv6).
import { copyOut } from "../parts.ts";
import { ETHERNET, IPV4, type Packet } from "./packet.ts";

const MOST = 16;
const LIFETIME = 15_000;
const LARGEST = 65_535 - IPV4;
const MOST_FRAGMENTS = 128;
const HEADER = ETHERNET + IPV4;

interface Datagram {
  key: string;
  bytes: Uint8Array;
  /** [first, end) of what has come, in no order. */
  ranges: [number, number][];
  received: number;
  /** Known once the last fragment has come. */
  length: number | undefined;
  end: number;
}

export class Fragments {
  readonly #datagrams = new Map<string, Datagram>();

  /** Takes a fragment. True if it was the last that was missing: `packet` is the whole then. */
  add(packet: Packet, now: number): boolean {
    for (const old of this.#datagrams.values()) if (old.end <= now) this.#datagrams.delete(old.key);
    const { source, destination, protocol, identification, fragmentOffset, hasMore, length } = packet;
    const key = `${source} ${destination} ${protocol} ${identification}`;
    const end = fragmentOffset + length;
    const datagram = this.#datagrams.get(key) ?? this.#begin(key, now);
    const fits =
      length > 0 &&
      end <= LARGEST &&
      (!hasMore || length % 8 === 0) &&
      (datagram.length === undefined || (hasMore ? end <= datagram.length : end === datagram.length)) &&
      datagram.ranges.length < MOST_FRAGMENTS &&
      datagram.ranges.every((range) => end <= range[0] || fragmentOffset >= range[1]);
    if (!fits) {
      this.#datagrams.delete(key);
      return false;
    }
    if (HEADER + end > datagram.bytes.length) {
      const larger = new Uint8Array(Math.min(Math.max(2 * datagram.bytes.length, HEADER + end), HEADER + LARGEST));
      larger.set(datagram.bytes);
      datagram.bytes = larger;
    }
    copyOut(packet.parts, packet.at, length, datagram.bytes, HEADER + fragmentOffset);
    if (fragmentOffset === 0) datagram.bytes.set(packet.head.subarray(0, HEADER));
    datagram.ranges.push([fragmentOffset, end]);
    datagram.received += length;
    if (!hasMore) {
      datagram.length = end;
      if (datagram.ranges.some((range) => range[1] > end)) this.#datagrams.delete(key);
    }
    if (datagram.received !== datagram.length) return false;
    this.#datagrams.delete(key);
    packet.become(datagram.bytes.subarray(0, HEADER + datagram.length), HEADER);
    return true;
  }

  clear(): void {
    this.#datagrams.clear();
  }

  #begin(key: string, now: number): Datagram {
    if (this.#datagrams.size >= MOST) this.#datagrams.delete(this.#datagrams.keys().next().value as string);
    const datagram: Datagram = {
      key,
      bytes: new Uint8Array(4096),
      ranges: [],
      received: 0,
      length: undefined,
      end: now + LIFETIME,
    };
    this.#datagrams.set(key, datagram);
    return datagram;
  }
}
