// Address resolution (RFC 826): the gateway and the DNS server answer for themselves, and
// for nobody else.
import { isIn, type NatAddresses } from "./address.ts";
import { get16, get32, put16, put32 } from "./bytes.ts";
import { BROADCAST_MAC, GATEWAY_MAC, type Link } from "./link.ts";
import { ETHERNET, EtherType, type Packet } from "./packet.ts";

const LENGTH = 28;
/** Offsets in the frame. */
const enum Field {
  HARDWARE = 14,
  PROTOCOL = 16,
  LENGTHS = 18,
  OPERATION = 20,
  SENDER_MAC = 22,
  SENDER = 28,
  TARGET_MAC = 32,
  TARGET = 38,
}
const enum Operation {
  REQUEST = 1,
  REPLY = 2,
}
const HARDWARE_ETHERNET = 1;
const LENGTHS = 0x0604;

function put(link: Link, to: Uint8Array, operation: Operation, sender: number, targetMac: Uint8Array, target: number) {
  const frame = new Uint8Array(ETHERNET + LENGTH);
  frame.set(to, 0);
  frame.set(GATEWAY_MAC, 6);
  put16(frame, 12, EtherType.ARP);
  put16(frame, Field.HARDWARE, HARDWARE_ETHERNET);
  put16(frame, Field.PROTOCOL, EtherType.IPV4);
  put16(frame, Field.LENGTHS, LENGTHS);
  put16(frame, Field.OPERATION, operation);
  frame.set(GATEWAY_MAC, Field.SENDER_MAC);
  put32(frame, Field.SENDER, sender);
  frame.set(targetMac, Field.TARGET_MAC);
  put32(frame, Field.TARGET, target);
  link.put([frame], frame.length);
}

/** Is `address` one that a guest may have? */
export function isGuests({ net, host, dns }: NatAddresses, address: number): boolean {
  const last = (net.address | ~net.mask) >>> 0;
  return isIn(net, address) && address !== net.address && address !== last && address !== host && address !== dns;
}

export function receiveArp(link: Link, { head }: Packet): void {
  if (head.length < ETHERNET + LENGTH) return;
  if (get16(head, Field.HARDWARE) !== HARDWARE_ETHERNET || get16(head, Field.PROTOCOL) !== EtherType.IPV4) return;
  if (get16(head, Field.LENGTHS) !== LENGTHS) return;
  const mac = head.slice(Field.SENDER_MAC, Field.SENDER);
  const sender = get32(head, Field.SENDER);
  if (isGuests(link.addresses, sender)) link.learn(sender, head, Field.SENDER_MAC);
  const target = get32(head, Field.TARGET);
  const { host, dns } = link.addresses;
  if (get16(head, Field.OPERATION) === Operation.REQUEST && (target === host || target === dns)) {
    put(link, mac, Operation.REPLY, target, mac, sender);
  }
}

/** Asks who has `address`. */
export function askFor(link: Link, address: number): void {
  put(link, BROADCAST_MAC, Operation.REQUEST, link.addresses.host, new Uint8Array(6), address);
}
