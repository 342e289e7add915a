// An IPv4 packet from the guest (RFC 791), checked as far as its header goes. One object is
// used for all packets: what it says is of meaning until the next.
import { NetOffload } from "../../../assembly/abi/net.ts";
import { addBytes, fold } from "../checksum.ts";
import type { NetFrame } from "../net.ts";
import { copyOut } from "../parts.ts";
import { get16, get32, sumParts } from "./bytes.ts";

export const ETHERNET = 14;
export const IPV4 = 20;

export const enum EtherType {
  IPV4 = 0x0800,
  ARP = 0x0806,
}

export const enum Protocol {
  ICMP = 1,
  TCP = 6,
  UDP = 17,
}

/** Ethernet, IPv4 and TCP headers with all options that there can be. */
const HEADERS_MAX = ETHERNET + 60 + 60;

const MORE_FRAGMENTS = 0x2000;
const OFFSET_MASK = 0x1fff;

/** Bits of NetOffload: what the frames into the NAT may leave undone. */
export const NAT_ACCEPTS = NetOffload.CHECKSUM | NetOffload.TSO4 | NetOffload.TSO6;

export class Packet {
  readonly #gathered = new Uint8Array(HEADERS_MAX);
  parts: readonly Uint8Array[] = [];
  /** The beginning of the frame in one piece: all its headers, or the whole frame if it is shorter. */
  head: Uint8Array = this.#gathered;
  source = 0;
  destination = 0;
  protocol = 0;
  identification = 0;
  /** Where the payload begins in the frame, and its length. */
  at = 0;
  length = 0;
  /** Nobody has summed the payload up, and nothing can have happened to it. */
  isTrusted = false;
  /** Of a fragment: where its payload goes, in bytes, and whether it is not the last. */
  fragmentOffset = 0;
  hasMore = false;

  /** Takes the beginning of a frame: enough for its EtherType. */
  begin({ parts, length }: NetFrame): void {
    this.parts = parts;
    const wanted = Math.min(length, HEADERS_MAX);
    if (parts[0].length >= wanted) this.head = parts[0];
    else {
      copyOut(parts, 0, wanted, this.#gathered, 0);
      this.head = wanted === HEADERS_MAX ? this.#gathered : this.#gathered.subarray(0, wanted);
    }
  }

  /** Reads the IPv4 header of the frame that begin() took. False: it is none that may pass. */
  readIpv4({ length, offload }: NetFrame): boolean {
    const { head } = this;
    if (length < ETHERNET + IPV4 || head[ETHERNET] >> 4 !== 4) return false;
    const headerLength = (head[ETHERNET] & 15) * 4;
    if (headerLength < IPV4 || ETHERNET + headerLength > length) return false;
    const isSegmented = offload?.segment !== undefined;
    // Before segmentation the header's length and sum are the driver's affair: some leave them open.
    const total = isSegmented ? length - ETHERNET : get16(head, ETHERNET + 2);
    if (total < headerLength || ETHERNET + total > length) return false;
    if (!isSegmented && fold(addBytes(0, head.subarray(ETHERNET, ETHERNET + headerLength))) !== 0xffff) return false;
    const fragment = get16(head, ETHERNET + 6);
    this.identification = get16(head, ETHERNET + 4);
    this.fragmentOffset = (fragment & OFFSET_MASK) * 8;
    this.hasMore = (fragment & MORE_FRAGMENTS) !== 0;
    this.protocol = head[ETHERNET + 9];
    this.source = get32(head, ETHERNET + 12);
    this.destination = get32(head, ETHERNET + 16);
    this.at = ETHERNET + headerLength;
    this.length = total - headerLength;
    this.isTrusted = offload !== undefined;
    return true;
  }

  /** Becomes the packet that fragments made: `bytes` begin with the header of the first of them. */
  become(bytes: Uint8Array, at: number): void {
    this.parts = [bytes];
    this.head = bytes;
    this.at = at;
    this.length = bytes.length - at;
    this.fragmentOffset = 0;
    this.hasMore = false;
    this.isTrusted = false;
  }

  /** Is the sum over pseudo header and payload right (RFC 9293, 3.1; RFC 768)? */
  isSumRight(): boolean {
    if (this.isTrusted) return true;
    const { source, destination, length } = this;
    const pseudo = pseudoSum(source, destination, this.protocol, length);
    return fold(pseudo + sumParts(this.parts, this.at, length)) === 0xffff;
  }

  /** A copy of `length` bytes of the payload from `offset` on. */
  copy(offset: number, length: number): Uint8Array {
    const bytes = new Uint8Array(length);
    copyOut(this.parts, this.at + offset, length, bytes, 0);
    return bytes;
  }
}

/** The sum of the pseudo header, not folded. */
export function pseudoSum(source: number, destination: number, protocol: number, length: number): number {
  return (source >>> 16) + (source & 0xffff) + (destination >>> 16) + (destination & 0xffff) + protocol + length;
}
