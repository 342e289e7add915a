// A received frame's checksums (3.2.4): IP's, TCP's and UDP's are checked, or completed
// where the host's side left them out, and the driver is told. Headers lie in one piece:
// the smallest first buffer has 128 bytes.
//
// Left out: IPv6 extension headers; what comes behind one is not checked, and so reported.
import { NetHeader, NetHeaderFlag } from "../../abi/net";
import { byteAt, fold, sumBytes, sumRange, swap16 } from "./e1000-checksum";
import { E1000, Rxcsum } from "./e1000-state";
import {
  be16, ETHERNET_HEADER, IPV4_HEADER, IPV6_HEADER, PROTOCOL_TCP, PROTOCOL_UDP, TAG, TYPE, TYPE_IPV4, TYPE_IPV6, TYPE_VLAN,
} from "./headers";

export const enum RxStatus {
  DD = 1 << 0,
  EOP = 1 << 1,
  IXSM = 1 << 2,
  VP = 1 << 3,
  UDPCS = 1 << 4,
  TCPCS = 1 << 5,
  IPCS = 1 << 6,
  PIF = 1 << 7,
}

const enum RxError {
  TCPE = 1 << 5,
  IPE = 1 << 6,
}

const GOOD: u32 = 0xffff;
/** What is no sum. */
const UNKNOWN: u32 = 0xffff_ffff;

/** What checkFrame() found: bits of a descriptor's status and errors, and the packet checksum. */
export let frameStatus: u32 = 0;
export let frameErrors: u32 = 0;
export let frameSum: u32 = 0;

// TCP's or UDP's part of the frame, and the sum of its pseudo header; 0 if there is none to check.
let part: u32 = 0;
let partEnd: u32 = 0;
let partProtocol: u32 = 0;
let pseudo: u64 = 0;

/** A number of 16 bits as it counts in a sum of words as they lie in memory. */
// @ts-ignore: decorator
@inline
function word(value: u32): u32 {
  return swap16(value & 0xffff);
}

/** Checks the frame in `list`; `header` says what the host's side left out, or 0. `packetSum`: the packet checksum is wanted. */
export function checkFrame(s: E1000, list: usize, length: u32, header: usize, packetSum: bool): void {
  frameStatus = 0;
  frameErrors = 0;
  frameSum = 0;
  const flags: u32 = header != 0 ? <u32>load<u8>(header, NetHeader.FLAGS) : 0;
  findPart(s, byteAt(list, 0), length);
  let known = false;
  let sum: u32 = 0;
  let good = true;
  if ((flags & <u32>NetHeaderFlag.NEEDS_CSUM) != 0) {
    const completed = complete(list, length, header);
    known = completed != UNKNOWN && load<u16>(header, NetHeader.CSUM_START) == <u16>part && partEnd == length;
    sum = completed;
  } else if (part != 0 && (flags & <u32>NetHeaderFlag.DATA_VALID) == 0) {
    sum = sumRange(list, part, partEnd);
    known = true;
    good = fold(pseudo + sum) == GOOD;
  }
  if (part != 0 && (s.rxcsum & <u32>Rxcsum.TUOFL) != 0 && summed(list)) {
    frameStatus |= <u32>RxStatus.TCPCS;
    if (partProtocol == PROTOCOL_UDP) frameStatus |= <u32>RxStatus.UDPCS;
    if (!good) frameErrors |= <u32>RxError.TCPE;
  }
  if ((s.rxcsum & <u32>(Rxcsum.TUOFL | Rxcsum.IPOFL)) == 0) frameStatus |= <u32>RxStatus.IXSM;
  if (!packetSum) return;
  const from = s.rxcsum & <u32>Rxcsum.PCSS;
  if (known && from <= part) {
    let whole: u64 = sumRange(list, from, part);
    whole += ((part - from) & 1) != 0 ? swap16(sum) : sum;
    const rest = sumRange(list, partEnd, length);
    whole += ((partEnd - from) & 1) != 0 ? swap16(rest) : rest;
    sum = fold(whole);
  } else {
    sum = sumRange(list, from, length);
  }
  frameSum = word(~sum);
}

/** UDP may have no checksum: then its field is zero. */
function summed(list: usize): bool {
  if (partProtocol != PROTOCOL_UDP) return true;
  const first = byteAt(list, part + 6);
  const second = byteAt(list, part + 7);
  return first == 0 || second == 0 || (load<u8>(first) | load<u8>(second)) != 0;
}

/** Finds IP, whose own checksum is checked on the way, and what it carries. */
function findPart(s: E1000, head: usize, length: u32): void {
  part = 0;
  let ip = ETHERNET_HEADER;
  if (length < ip + TAG) return;
  let type = be16(head + TYPE);
  if (type == TYPE_VLAN) {
    type = be16(head + TYPE + TAG);
    ip += TAG;
  }
  if (type == TYPE_IPV4) findInV4(s, head + ip, ip, length);
  else if (type == TYPE_IPV6) findInV6(head + ip, ip, length);
}

function findInV4(s: E1000, at: usize, ip: u32, length: u32): void {
  if (length < ip + IPV4_HEADER) return;
  const headerLength = (<u32>load<u8>(at) & 0xf) << 2;
  const total = be16(at + 2);
  if (load<u8>(at) >> 4 != 4 || headerLength < IPV4_HEADER || total < headerLength || ip + total > length) return;
  if ((s.rxcsum & <u32>Rxcsum.IPOFL) != 0) {
    frameStatus |= <u32>RxStatus.IPCS;
    if (sumBytes(at, headerLength) != GOOD) frameErrors |= <u32>RxError.IPE;
  }
  // Of a fragment there is not all to sum.
  if ((be16(at + 6) & 0x3fff) != 0) return;
  setPart(load<u8>(at, 9), ip + headerLength, ip + total, sumBytes(at + 12, 8));
}

function findInV6(at: usize, ip: u32, length: u32): void {
  if (length < ip + IPV6_HEADER || load<u8>(at) >> 4 != 6) return;
  const payload = be16(at + 4);
  if (ip + IPV6_HEADER + payload > length) return;
  setPart(load<u8>(at, 6), ip + IPV6_HEADER, ip + IPV6_HEADER + payload, sumBytes(at + 8, 32));
}

function setPart(protocol: u32, start: u32, end: u32, addresses: u32): void {
  const least: u32 = protocol == PROTOCOL_TCP ? 20 : protocol == PROTOCOL_UDP ? 8 : 0;
  if (least == 0 || end - start < least) return;
  part = start;
  partEnd = end;
  partProtocol = protocol;
  pseudo = <u64>addresses + word(protocol) + word(end - start);
}

/** Sums what the host's side left to be summed, and puts the sum where it goes. What the bytes that were summed are the sum of now, or UNKNOWN. */
function complete(list: usize, length: u32, header: usize): u32 {
  const start: u32 = load<u16>(header, NetHeader.CSUM_START);
  const offset: u32 = load<u16>(header, NetHeader.CSUM_OFFSET);
  const place = start + offset;
  if (place + 2 > length) return UNKNOWN;
  const first = byteAt(list, place);
  const second = byteAt(list, place + 1);
  const before: u32 = <u32>load<u8>(first) | (<u32>load<u8>(second) << 8);
  let sum = ~sumRange(list, start, length) & 0xffff;
  // Zero would say that there is none; to a sum the two are the same.
  if (sum == 0) sum = 0xffff;
  store<u8>(first, <u8>sum);
  store<u8>(second, <u8>(sum >> 8));
  // The sum and its complement cancel out: what is left is that the field's old contents are gone.
  if ((offset & 1) != 0) return UNKNOWN;
  return before == GOOD ? GOOD : GOOD - before;
}
