// ICMP (RFC 792): the gateway and the DNS server answer echoes themselves; others are asked
// by the host, if it can. And the errors that the guest is told.
import { checksumOf } from "../checksum.ts";
import { formatAddress } from "./address.ts";
import { put16, sumParts } from "./bytes.ts";
import type { Link } from "./link.ts";
import { ETHERNET, IPV4, type Packet, Protocol } from "./packet.ts";
import type { NatPolicy } from "./policy.ts";
import type { NatTransport } from "./transport.ts";

const enum Type {
  ECHO_REPLY = 0,
  UNREACHABLE = 3,
  ECHO = 8,
}

/** Codes of "destination unreachable" (RFC 1122, 3.2.2.1). */
export const enum Unreachable {
  NET = 0,
  HOST = 1,
  PORT = 3,
  PROHIBITED = 13,
}

const HEADER = 8;
const LARGEST_ECHO = 65_000;

function putIcmp(link: Link, source: number, destination: number, message: Uint8Array): void {
  put16(message, 2, 0);
  put16(message, 2, checksumOf(sumParts([message], 0, message.length)));
  link.putIpv4(source, destination, Protocol.ICMP, message);
}

/** What an error says of the packet that it is about: its header without options, and 8 bytes. */
export function quote(packet: Packet): Uint8Array {
  const bytes = new Uint8Array(HEADER + IPV4 + 8);
  bytes.set(packet.head.subarray(ETHERNET, ETHERNET + IPV4), HEADER);
  // Options are left out, so the length that it tells has to be that of a header without any.
  bytes[HEADER] = 0x45;
  bytes.set(packet.copy(0, Math.min(8, packet.length)), HEADER + IPV4);
  return bytes;
}

/** Tells the guest at `to` that what `quoted` is about did not arrive. */
export function putUnreachable(link: Link, to: number, code: Unreachable, quoted: Uint8Array): void {
  const message = quoted.slice();
  message[0] = Type.UNREACHABLE;
  message[1] = code;
  putIcmp(link, link.addresses.host, to, message);
}

export class Icmp {
  readonly #link: Link;
  readonly #policy: NatPolicy;
  readonly #transport: NatTransport;
  #isOpen = true;

  constructor(link: Link, policy: NatPolicy, transport: NatTransport) {
    this.#link = link;
    this.#policy = policy;
    this.#transport = transport;
  }

  close(): void {
    this.#isOpen = false;
  }

  receive(packet: Packet): void {
    const { source, destination, length } = packet;
    if (length < HEADER || length > LARGEST_ECHO || packet.head[packet.at] !== Type.ECHO) return;
    const message = packet.copy(0, length);
    if (checksumOf(sumParts([message], 0, length)) !== 0) return;
    const { host, dns } = this.#link.addresses;
    if (!this.#policy.allows("icmp", destination, 0)) {
      putUnreachable(this.#link, source, Unreachable.PROHIBITED, quote(packet));
      return;
    }
    const reply = () => {
      message[0] = Type.ECHO_REPLY;
      putIcmp(this.#link, destination, source, message);
    };
    if (destination === host || destination === dns) {
      reply();
      return;
    }
    const isAsked = this.#transport.echo?.(formatAddress(destination), length - HEADER, (milliseconds) => {
      if (this.#isOpen && milliseconds !== undefined) reply();
    });
    if (isAsked !== true) putUnreachable(this.#link, source, Unreachable.PROHIBITED, quote(packet));
  }
}
