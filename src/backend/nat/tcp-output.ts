// Segments to the guest: one header, written anew for each where it differs, and data from
// where it lies. Sums are left open, and what is longer than a segment is left uncut.
import { checksumOf, fold } from "../checksum.ts";
import type { NetOffloadRequest } from "../net.ts";
import { get16, put16 } from "./bytes.ts";
import { type Link, tcpOffloads, writeIpv4 } from "./link.ts";
import { ETHERNET, IPV4, Protocol, pseudoSum } from "./packet.ts";
import type { SendRing } from "./send-ring.ts";
import { TCP, writeSynOptions, writeTcp } from "./tcp-segment.ts";

const HEADERS = ETHERNET + IPV4 + TCP;
const SYN_OPTIONS = 8;
const DEFAULT_MSS = 536;
const LEAST_MSS = 64;

/** Most data in a frame that is still to be cut: what fits into an IPv4 packet. */
export const MOST_DATA = 0xffff - IPV4 - TCP;

/** Both ends of a connection. */
export interface Ends {
  readonly guest: number;
  readonly guestPort: number;
  /** What the guest takes for the other end. */
  readonly far: number;
  readonly farPort: number;
}

export class SegmentOutput {
  readonly #link: Link;
  readonly #ends: Ends;
  readonly #ring: SendRing;
  readonly #header = new Uint8Array(HEADERS);
  #isPrepared = false;
  #mss = DEFAULT_MSS;
  #one: NetOffloadRequest;
  #many: NetOffloadRequest;
  readonly #parts: Uint8Array[] = [];
  readonly #frame: { parts: Uint8Array[]; length: number; offload: NetOffloadRequest };
  /** Sums of what is the same in each segment's IPv4 header, and pseudo header. */
  #ipv4Sum = 0;
  #pseudo = 0;

  constructor(link: Link, ends: Ends, ring: SendRing) {
    this.#link = link;
    this.#ends = ends;
    this.#ring = ring;
    const { one, many } = tcpOffloads(this.#mss);
    this.#one = one;
    this.#many = many;
    this.#frame = { parts: this.#parts, length: 0, offload: one };
  }

  /** Most data in a segment. */
  get mss(): number {
    return this.#mss;
  }

  /** The guest takes so much in a segment. */
  limit(mss: number): void {
    this.#mss = Math.max(Math.min(mss, this.#link.mtu - IPV4 - TCP), LEAST_MSS);
    const { one, many } = tcpOffloads(this.#mss);
    this.#one = one;
    this.#many = many;
  }

  /** Where the guest is, is known: something can be sent. */
  get isPrepared(): boolean {
    return this.#isPrepared;
  }

  /** Writes what is the same in the headers of all segments. */
  prepare(mac: Uint8Array): void {
    const { guest, guestPort, far, farPort } = this.#ends;
    const header = this.#header;
    this.#isPrepared = true;
    writeIpv4(header, mac, far, guest, Protocol.TCP, 0, 0);
    writeTcp(header, ETHERNET + IPV4, farPort, guestPort, 0, 0, 0, 0);
    this.#ipv4Sum = (~get16(header, ETHERNET + 10) & 0xffff) - IPV4 + 0xffff;
    this.#pseudo = pseudoSum(far, guest, Protocol.TCP, 0);
  }

  /** A SYN, which waits if there is no room. Without `shift` the window is not scaled. */
  putSyn(
    mac: Uint8Array,
    flags: number,
    sequence: number,
    acknowledgment: number,
    window: number,
    shift: number | undefined,
  ): void {
    const { guest, guestPort, far, farPort } = this.#ends;
    const header = new Uint8Array(HEADERS + SYN_OPTIONS);
    const length = TCP + SYN_OPTIONS;
    const at = ETHERNET + IPV4;
    writeIpv4(header, mac, far, guest, Protocol.TCP, length, this.#link.nextIdentification());
    writeTcp(header, at, farPort, guestPort, sequence, acknowledgment, flags, window, length);
    writeSynOptions(header, at + TCP, Math.min(this.#link.mtu - IPV4 - TCP, MOST_DATA), shift);
    put16(header, at + 16, fold(pseudoSum(far, guest, Protocol.TCP, length)));
    this.prepare(mac);
    this.#link.put([header], header.length, this.#one);
  }

  /** A segment with `length` bytes from `offset` of the ring. False: the guest has no room. */
  offer(
    flags: number,
    sequence: number,
    acknowledgment: number,
    window: number,
    offset: number,
    length: number,
  ): boolean {
    const { guestPort, farPort } = this.#ends;
    const header = this.#header;
    const identification = this.#link.nextIdentification();
    put16(header, ETHERNET + 2, IPV4 + TCP + length);
    put16(header, ETHERNET + 4, identification);
    put16(header, ETHERNET + 10, checksumOf(this.#ipv4Sum + IPV4 + TCP + length + identification));
    const at = ETHERNET + IPV4;
    writeTcp(header, at, farPort, guestPort, sequence, acknowledgment, flags, window);
    put16(header, at + 16, fold(this.#pseudo + TCP + length));

    const parts = this.#parts;
    parts.length = 0;
    parts.push(header);
    if (length > 0) this.#ring.view(offset, length, parts);
    const frame = this.#frame;
    frame.length = HEADERS + length;
    frame.offload = length > this.#mss ? this.#many : this.#one;
    return this.#link.offer(frame);
  }
}
