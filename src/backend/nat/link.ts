// The wire to the guest: Ethernet and IPv4 headers of what goes to it, the guest's hardware
// addresses, and a few frames that wait while the guest has no room.
import { NetGso } from "../../../assembly/abi/net.ts";
import { addBytes, checksumOf, fold } from "../checksum.ts";
import type { NetFrame, NetGuest, NetOffloadRequest } from "../net.ts";
import { copyOut } from "../parts.ts";
import type { NatAddresses } from "./address.ts";
import { put16, put32, sumParts } from "./bytes.ts";
import { ETHERNET, EtherType, IPV4, Protocol, pseudoSum } from "./packet.ts";

/** The gateway's hardware address: locally administered. */
export const GATEWAY_MAC = Uint8Array.of(0x52, 0x55, 0x0a, 0x00, 0x02, 0x02);
export const BROADCAST_MAC = new Uint8Array(6).fill(0xff);
export const BROADCAST = 0xffff_ffff;

const WAITING_FRAMES = 256;
const WAITING_BYTES = 512 * 1024;
const NEIGHBOURS = 64;
const TTL = 64;
const DONT_FRAGMENT = 0x4000;
const MORE_FRAGMENTS = 0x2000;

/** A frame that is filled in again for each delivery. */
interface ReusedFrame {
  parts: Uint8Array[];
  length: number;
  offload?: NetOffloadRequest;
}

/** Writes Ethernet and IPv4 headers to the first 34 bytes of `header`. */
export function writeIpv4(
  header: Uint8Array,
  mac: Uint8Array,
  source: number,
  destination: number,
  protocol: number,
  length: number,
  identification: number,
  fragment = DONT_FRAGMENT,
): void {
  header.set(mac, 0);
  header.set(GATEWAY_MAC, 6);
  put16(header, 12, EtherType.IPV4);
  header[ETHERNET] = 0x45;
  header[ETHERNET + 1] = 0;
  put16(header, ETHERNET + 2, IPV4 + length);
  put16(header, ETHERNET + 4, identification);
  put16(header, ETHERNET + 6, fragment);
  header[ETHERNET + 8] = TTL;
  header[ETHERNET + 9] = protocol;
  put16(header, ETHERNET + 10, 0);
  put32(header, ETHERNET + 12, source);
  put32(header, ETHERNET + 16, destination);
  put16(header, ETHERNET + 10, checksumOf(addBytes(0, header.subarray(ETHERNET, ETHERNET + IPV4))));
}

export class Link {
  readonly addresses: NatAddresses;
  /** Largest packet. */
  mtu = 1500;
  /** When the guest last sent anything. */
  heard = 0;
  /** Somebody's hardware address has become known, or changed. */
  onLearn: (address: number) => void = () => {};
  #guest: NetGuest | undefined;
  #identification = 0;
  readonly #neighbours = new Map<number, Uint8Array>();
  readonly #waiting: NetFrame[] = [];
  #waitingBytes = 0;
  readonly #frame: ReusedFrame = { parts: [], length: 0 };
  readonly #udpHeader = new Uint8Array(ETHERNET + IPV4 + 8);
  readonly #udpOffload: NetOffloadRequest = { checksum: { start: ETHERNET + IPV4, offset: 6 } };

  constructor(addresses: NatAddresses) {
    this.addresses = addresses;
  }

  open(guest: NetGuest): void {
    this.#guest = guest;
    if (guest.mtu !== undefined) this.mtu = Math.max(guest.mtu, 576);
  }

  notice(message: string): void {
    this.#guest?.notice(message);
  }

  close(): void {
    this.#guest = undefined;
    this.#waiting.length = 0;
  }

  /** Remembers where an address of the guest's network is: the hardware address is at `at` of `bytes`. */
  learn(address: number, bytes: Uint8Array, at: number): void {
    const known = this.#neighbours.get(address);
    if (known !== undefined) {
      let i = 0;
      while (i < 6 && known[i] === bytes[at + i]) i++;
      if (i === 6) return;
    }
    if ((bytes[at] & 1) !== 0) return;
    if (known === undefined && this.#neighbours.size >= NEIGHBOURS) {
      this.#neighbours.delete(this.#neighbours.keys().next().value as number);
    }
    this.#neighbours.set(address, bytes.slice(at, at + 6));
    this.onLearn(address);
  }

  /** The hardware address, if the guest has told it. */
  find(address: number): Uint8Array | undefined {
    return this.#neighbours.get(address);
  }

  nextIdentification(): number {
    this.#identification = (this.#identification + 1) & 0xffff;
    return this.#identification;
  }

  /** A frame that its owner keeps if there is no room. */
  offer(frame: NetFrame): boolean {
    if (this.#guest === undefined) return true;
    return this.#waiting.length === 0 && this.#guest.deliver(frame);
  }

  /** A frame that waits if there is no room, or is lost if too many do. `parts` may be used again afterwards. */
  put(parts: Uint8Array[], length: number, offload?: NetOffloadRequest): void {
    const frame = this.#frame;
    frame.parts = parts;
    frame.length = length;
    frame.offload = offload;
    if (this.offer(frame)) return;
    if (this.#waiting.length >= WAITING_FRAMES || this.#waitingBytes + length > WAITING_BYTES) return;
    const bytes = new Uint8Array(length);
    copyOut(parts, 0, length, bytes, 0);
    this.#waiting.push({ parts: [bytes], length, offload });
    this.#waitingBytes += length;
  }

  /** There is room again. False if it did not last. */
  ready(): boolean {
    while (this.#waiting.length > 0) {
      if (!this.#guest?.deliver(this.#waiting[0])) return false;
      this.#waitingBytes -= (this.#waiting.shift() as NetFrame).length;
    }
    return true;
  }

  /** An IPv4 packet to the guest, in fragments if it is larger than the MTU. Lost if nobody knows where to. */
  putIpv4(source: number, destination: number, protocol: Protocol, payload: Uint8Array): void {
    const mac = this.#macOf(destination);
    if (mac === undefined) return;
    const identification = this.nextIdentification();
    if (IPV4 + payload.length <= this.mtu) {
      const header = new Uint8Array(ETHERNET + IPV4);
      writeIpv4(header, mac, source, destination, protocol, payload.length, identification);
      this.put([header, payload], header.length + payload.length);
      return;
    }
    const size = Math.floor((this.mtu - IPV4) / 8) * 8;
    for (let at = 0; at < payload.length; at += size) {
      const part = payload.subarray(at, at + size);
      const more = at + size < payload.length ? MORE_FRAGMENTS : 0;
      const header = new Uint8Array(ETHERNET + IPV4);
      writeIpv4(header, mac, source, destination, protocol, part.length, identification, more | (at >> 3));
      this.put([header, part], header.length + part.length);
    }
  }

  /** A UDP datagram to the guest (RFC 768). */
  putUdp(source: number, sourcePort: number, destination: number, destinationPort: number, data: Uint8Array): void {
    const length = 8 + data.length;
    if (IPV4 + length > 0xffff) return;
    const fits = IPV4 + length <= this.mtu;
    const header = fits ? this.#udpHeader : new Uint8Array(ETHERNET + IPV4 + length);
    const at = ETHERNET + IPV4;
    put16(header, at, sourcePort);
    put16(header, at + 2, destinationPort);
    put16(header, at + 4, length);
    const pseudo = pseudoSum(source, destination, Protocol.UDP, length);
    if (!fits) {
      // Fragments have no sum of their own that could be left open.
      header.set(data, at + 8);
      put16(header, at + 6, 0);
      const sum = checksumOf(pseudo + sumParts([header], at, length));
      put16(header, at + 6, sum === 0 ? 0xffff : sum);
      this.putIpv4(source, destination, Protocol.UDP, header.subarray(at));
      return;
    }
    const mac = this.#macOf(destination);
    if (mac === undefined) return;
    put16(header, at + 6, fold(pseudo));
    writeIpv4(header, mac, source, destination, Protocol.UDP, length, this.nextIdentification());
    this.put([header, data], header.length + data.length, this.#udpOffload);
  }

  #macOf(address: number): Uint8Array | undefined {
    return address === BROADCAST ? BROADCAST_MAC : this.find(address);
  }
}

/** What is undone in TCP segments to the guest: their sum, and their cutting. */
export function tcpOffloads(segmentSize: number): { one: NetOffloadRequest; many: NetOffloadRequest } {
  const checksum = { start: ETHERNET + IPV4, offset: 16 };
  const segment = { type: NetGso.TCPV4, size: segmentSize, headerLength: ETHERNET + IPV4 + 20 };
  return { one: { checksum }, many: { checksum, segment } };
}
