// A DHCP server (RFC 2131, options of RFC 2132) for the guest's network: leases from the
// first guest's address on, by hardware address, as long as the NAT lives.

import { checksumOf } from "../checksum.ts";
import { isGuests } from "./arp.ts";
import { get16, get32, put16, put32, sumParts } from "./bytes.ts";
import { BROADCAST, BROADCAST_MAC, type Link, writeIpv4 } from "./link.ts";
import { ETHERNET, IPV4, type Packet, Protocol, pseudoSum } from "./packet.ts";

export const DHCP_SERVER_PORT = 67;
const CLIENT_PORT = 68;
const LEASES = 16;
const LEASE_SECONDS = 86_400;
/** BOOTP's fixed part, and the least that a message is long (RFC 951). */
const FIXED = 236;
const SHORTEST = 300;
const LONGEST = 1500;
const MAGIC = 0x6382_5363;
const BROADCAST_FLAG = 0x8000;

const enum Field {
  OP = 0,
  HTYPE = 1,
  HLEN = 2,
  XID = 4,
  FLAGS = 10,
  CIADDR = 12,
  YIADDR = 16,
  SIADDR = 20,
  GIADDR = 24,
  CHADDR = 28,
}
const enum Op {
  REQUEST = 1,
  REPLY = 2,
}
const enum Option {
  PAD = 0,
  SUBNET_MASK = 1,
  ROUTER = 3,
  DNS = 6,
  INTERFACE_MTU = 26,
  BROADCAST_ADDRESS = 28,
  REQUESTED_ADDRESS = 50,
  LEASE_TIME = 51,
  MESSAGE_TYPE = 53,
  SERVER_ID = 54,
  RENEWAL_TIME = 58,
  REBINDING_TIME = 59,
  END = 255,
}
const enum Message {
  NONE = 0,
  DISCOVER = 1,
  OFFER = 2,
  REQUEST = 3,
  DECLINE = 4,
  ACK = 5,
  NAK = 6,
  RELEASE = 7,
  INFORM = 8,
}

interface Asked {
  message: number;
  requested: number | undefined;
  server: number | undefined;
}

/** Reads the options; undefined if they are no options. */
function readOptions(bytes: Uint8Array): Asked | undefined {
  const asked: Asked = { message: Message.NONE, requested: undefined, server: undefined };
  if (bytes.length < FIXED + 4) return asked;
  if (get32(bytes, FIXED) !== MAGIC) return undefined;
  for (let at = FIXED + 4; at < bytes.length; ) {
    const option = bytes[at++];
    if (option === Option.END) break;
    if (option === Option.PAD) continue;
    const length = bytes[at++];
    if (length === undefined || at + length > bytes.length) return undefined;
    if (option === Option.MESSAGE_TYPE && length === 1) asked.message = bytes[at];
    if (option === Option.REQUESTED_ADDRESS && length === 4) asked.requested = get32(bytes, at);
    if (option === Option.SERVER_ID && length === 4) asked.server = get32(bytes, at);
    at += length;
  }
  return asked;
}

export class DhcpServer {
  readonly #link: Link;
  /** Tells no way out: the guest has none. */
  readonly #isRestricted: boolean;
  /** The owner's hardware address in hexadecimal, by number of the lease. */
  readonly #leases: (string | undefined)[] = [];

  constructor(link: Link, isRestricted: boolean) {
    this.#link = link;
    this.#isRestricted = isRestricted;
  }

  /** A datagram to the server's port; the packet's payload begins with the UDP header. */
  receive(packet: Packet): void {
    const length = packet.length - 8;
    if (length < FIXED || length > LONGEST) return;
    const bytes = packet.copy(8, length);
    if (bytes[Field.OP] !== Op.REQUEST || bytes[Field.HTYPE] !== 1 || bytes[Field.HLEN] !== 6) return;
    // Through no relay: there is no other network here.
    if (get32(bytes, Field.GIADDR) !== 0) return;
    const mac = bytes.subarray(Field.CHADDR, Field.CHADDR + 6);
    const asked = readOptions(bytes);
    if (asked === undefined || (mac[0] & 1) !== 0) return;
    const { host } = this.#link.addresses;
    if (asked.server !== undefined && asked.server !== host) return;
    const owner = mac.reduce((text, byte) => text + byte.toString(16).padStart(2, "0"), "");
    switch (asked.message) {
      case Message.DISCOVER:
      case Message.NONE: {
        const address = this.#lease(owner, asked.requested);
        if (address === undefined) return;
        const answer = asked.message === Message.NONE ? Message.NONE : Message.OFFER;
        this.#answer(bytes, answer, address, mac);
        break;
      }
      case Message.REQUEST: {
        const wanted = asked.requested ?? get32(bytes, Field.CIADDR);
        const address = this.#lease(owner, wanted);
        if (address === wanted) this.#answer(bytes, Message.ACK, address, mac);
        else this.#answer(bytes, Message.NAK, 0, mac);
        break;
      }
      case Message.INFORM:
        if (isGuests(this.#link.addresses, get32(bytes, Field.CIADDR))) this.#answer(bytes, Message.ACK, 0, mac);
        break;
      case Message.RELEASE:
      case Message.DECLINE:
        this.#release(owner);
        break;
    }
  }

  #release(owner: string): void {
    const number = this.#leases.indexOf(owner);
    if (number >= 0) this.#leases[number] = undefined;
  }

  /** The owner's address: the one that it has, else the one that it asks for, else the first that is free. */
  #lease(owner: string, requested: number | undefined): number | undefined {
    const { addresses } = this.#link;
    const leases = this.#leases;
    const isFree = (number: number) => leases[number] === undefined && isGuests(addresses, addresses.guest + number);
    let number = leases.indexOf(owner);
    if (number < 0 && requested !== undefined) {
      const wanted = requested - addresses.guest;
      if (wanted >= 0 && wanted < LEASES && isFree(wanted)) number = wanted;
    }
    for (let free = 0; number < 0 && free < LEASES; free++) if (isFree(free)) number = free;
    if (number < 0) return undefined;
    leases[number] = owner;
    return addresses.guest + number;
  }

  #answer(request: Uint8Array, message: Message, address: number, mac: Uint8Array): void {
    const { addresses, mtu } = this.#link;
    const bytes = new Uint8Array(512);
    bytes[Field.OP] = Op.REPLY;
    bytes[Field.HTYPE] = 1;
    bytes[Field.HLEN] = 6;
    put32(bytes, Field.XID, get32(request, Field.XID));
    put16(bytes, Field.FLAGS, get16(request, Field.FLAGS));
    const client = get32(request, Field.CIADDR);
    if (message !== Message.NAK) put32(bytes, Field.CIADDR, client);
    put32(bytes, Field.YIADDR, address);
    put32(bytes, Field.SIADDR, message === Message.NAK ? 0 : addresses.host);
    bytes.set(mac, Field.CHADDR);

    let at = FIXED;
    const put = (option: Option, ...words: number[]) => {
      bytes[at++] = option;
      bytes[at++] = words.length * 4;
      for (const word of words) {
        put32(bytes, at, word);
        at += 4;
      }
    };
    put32(bytes, at, MAGIC);
    at += 4;
    if (message !== Message.NONE) {
      bytes.set([Option.MESSAGE_TYPE, 1, message], at);
      at += 3;
      put(Option.SERVER_ID, addresses.host);
    }
    if (message !== Message.NAK) {
      if (address !== 0 && message !== Message.NONE) {
        put(Option.LEASE_TIME, LEASE_SECONDS);
        put(Option.RENEWAL_TIME, LEASE_SECONDS / 2);
        put(Option.REBINDING_TIME, (LEASE_SECONDS / 8) * 7);
      }
      put(Option.SUBNET_MASK, addresses.net.mask);
      put(Option.BROADCAST_ADDRESS, (addresses.net.address | ~addresses.net.mask) >>> 0);
      if (!this.#isRestricted) {
        put(Option.ROUTER, addresses.host);
        put(Option.DNS, addresses.dns);
      }
      bytes.set([Option.INTERFACE_MTU, 2, mtu >> 8, mtu & 255], at);
      at += 4;
    }
    bytes[at++] = Option.END;
    this.#send(bytes.subarray(0, Math.max(at, SHORTEST)), message, address, client, mac);
  }

  /** To the address that the client has or gets, unless it can take broadcasts alone (RFC 2131, 4.1). */
  #send(bytes: Uint8Array, message: Message, address: number, client: number, mac: Uint8Array): void {
    const { host } = this.#link.addresses;
    const wantsBroadcast = (get16(bytes, Field.FLAGS) & BROADCAST_FLAG) !== 0;
    const isUnicast = message !== Message.NAK && (client !== 0 || !wantsBroadcast);
    const to = isUnicast ? client || address : BROADCAST;
    const length = 8 + bytes.length;
    const frame = new Uint8Array(ETHERNET + IPV4 + length);
    writeIpv4(frame, isUnicast ? mac : BROADCAST_MAC, host, to, Protocol.UDP, length, this.#link.nextIdentification());
    const at = ETHERNET + IPV4;
    put16(frame, at, DHCP_SERVER_PORT);
    put16(frame, at + 2, CLIENT_PORT);
    put16(frame, at + 4, length);
    frame.set(bytes, at + 8);
    put16(
      frame,
      at + 6,
      checksumOf(pseudoSum(host, to, Protocol.UDP, length) + sumParts([frame], at, length)) || 0xffff,
    );
    this.#link.put([frame], frame.length);
  }
}
