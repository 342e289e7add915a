// Cutting TCP for a device that takes no more than a packet of its MTU at once: 64 KiB cross
// the border in one call, and every segment goes from here into the driver's buffers (the
// other direction of virtio 1.2, 5.1.6.2; RFC 9293 and RFC 791 for what differs by segment).
//
// The frame lies at NetCut.FRAME, its header at NetAt.HEADER_IN. Nothing is kept between
// calls: where there is no more room the host calls again with the number of the segment to
// go on with. It may leave out the bytes before that segment's data, but for the headers.
import { NetAt, NetCut, NetHeader, NetHeaderFlag, NetOffload, NetRoom, NET_FRAME_MAX, NET_PORTS } from "../../abi/net";
import { Dev } from "../../abi/device";
import { fold, sumBytes, swap16 } from "./e1000-checksum";
import {
  be16, ETHERNET_HEADER, IPV4_HEADER, IPV6_HEADER, PROTOCOL_TCP, putBe16, TAG, TYPE, TYPE_VLAN,
} from "./headers";
import { netDeliver, netOffloads, netRoom } from "./ports";

const FRAME: usize = <usize>NetCut.FRAME;
/** The headers of the segment under way. */
const HEAD: usize = <usize>NetCut.HEAD;
const HEAD_SIZE: u32 = <u32>NetCut.HEAD_SIZE;
const HEADER: usize = <usize>Dev.NET + <usize>NetAt.HEADER_IN;
const PEEK: usize = <usize>Dev.NET + <usize>NetAt.PEEK;
const PEEK_SIZE: u32 = <u32>NetAt.PEEK_SIZE;

const enum Ip4 {
  TOTAL_LENGTH = 2,
  IDENTIFICATION = 4,
  CHECKSUM = 10,
  ADDRESSES = 12,
  ADDRESSES_SIZE = 8,
}

const enum Ip6 {
  PAYLOAD_LENGTH = 4,
  ADDRESSES = 8,
  ADDRESSES_SIZE = 32,
}

const enum TcpAt {
  SEQUENCE = 4,
  OFFSET = 12,
  FLAGS = 13,
  CHECKSUM = 16,
  HEADER = 20,
}

/** Flags of the last segment alone, FIN and PSH, and of the first, CWR (RFC 3168, 6.1.2). */
const LAST_ONLY: u32 = 0x09;
const FIRST_ONLY: u32 = 0x80;

// The frame under way: where its headers lie, and how it is cut.
let isV4: bool = false;
let ip: u32 = 0;
let tcp: u32 = 0;
let headers: u32 = 0;
let size: u32 = 0;
/** Sum of what is the same in each segment's pseudo header. */
let pseudo: u64 = 0;

/**
 * Cuts the frame of `length` bytes at NetCut.FRAME, whose header is at NetAt.HEADER_IN, and delivers its segments from
 * `first` on. True when that is done; false: there is no more room, and NetCut.NEXT says which segment is the next.
 * NetCut.DELIVERED and NetCut.LOST say what became of the others.
 */
export function netSegments(port: u32, length: u32, first: u32): bool {
  store<u32>(<usize>NetCut.NEXT, first);
  store<u32>(<usize>NetCut.DELIVERED, 0);
  store<u32>(<usize>NetCut.LOST, 0);
  const accepts = netOffloads(port);
  if (port >= <u32>NET_PORTS || accepts < 0 || !find(length)) {
    store<u32>(<usize>NetCut.LOST, 1);
    return true;
  }
  const data = length - headers;
  const count: u32 = data == 0 ? 1 : (data + size - 1) / size;
  const start: u32 = load<u16>(HEADER, NetHeader.CSUM_START);
  for (let n = first; n < count; n++) {
    const payload = min(size, data - n * size);
    write(n, payload, n == count - 1);
    const total = headers + payload;
    const at = FRAME + headers + <usize>(n * size);
    const isOpen = (accepts & NetOffload.CHECKSUM) != 0;
    if (!isOpen) finish(at, payload);
    show(at, payload);
    const room = netRoom(port, total);
    if (room == <usize>NetRoom.NONE) {
      store<u32>(<usize>NetCut.NEXT, n);
      return false;
    }
    if (room == <usize>NetRoom.LOST) {
      store<u32>(<usize>NetCut.LOST, load<u32>(<usize>NetCut.LOST) + 1);
      continue;
    }
    fill(room, at, payload);
    if (isOpen) leaveOpen(start);
    netDeliver(port, isOpen ? HEADER : 0);
    store<u32>(<usize>NetCut.DELIVERED, load<u32>(<usize>NetCut.DELIVERED) + 1);
  }
  return true;
}

/** Finds the headers of the frame, and how it is to be cut. False if it cannot be. */
function find(length: u32): bool {
  if (length > <u32>NET_FRAME_MAX) return false;
  size = load<u16>(HEADER, NetHeader.GSO_SIZE);
  tcp = load<u16>(HEADER, NetHeader.CSUM_START);
  ip = ETHERNET_HEADER;
  if (be16(FRAME + TYPE) == TYPE_VLAN) ip += TAG;
  isV4 = load<u8>(FRAME + ip) >> 4 == 4;
  if (size == 0 || tcp < ip + (isV4 ? IPV4_HEADER : IPV6_HEADER) || tcp + TcpAt.HEADER > HEAD_SIZE) return false;
  headers = tcp + ((<u32>load<u8>(FRAME + tcp + <usize>TcpAt.OFFSET) >> 4) << 2);
  if (headers < tcp + TcpAt.HEADER || headers > HEAD_SIZE || headers > length) return false;
  const addresses = isV4
    ? sumBytes(FRAME + ip + <usize>Ip4.ADDRESSES, Ip4.ADDRESSES_SIZE)
    : sumBytes(FRAME + ip + <usize>Ip6.ADDRESSES, Ip6.ADDRESSES_SIZE);
  pseudo = <u64>addresses + swap16(PROTOCOL_TCP);
  return true;
}

/** Writes the headers of segment `n`, which has `payload` bytes of data; its checksum is the pseudo header's sum as yet. */
function write(n: u32, payload: u32, isLast: bool): void {
  memory.copy(HEAD, FRAME, headers);
  const at = HEAD + ip;
  const length = headers - tcp + payload;
  if (isV4) {
    putBe16(at + <usize>Ip4.TOTAL_LENGTH, tcp - ip + length);
    putBe16(at + <usize>Ip4.IDENTIFICATION, be16(at + <usize>Ip4.IDENTIFICATION) + n);
    store<u16>(at, 0, Ip4.CHECKSUM);
    store<u16>(at, <u16>~sumBytes(at, tcp - ip), Ip4.CHECKSUM);
  } else {
    putBe16(at + <usize>Ip6.PAYLOAD_LENGTH, length);
  }
  const segment = HEAD + tcp;
  store<u32>(segment, bswap<u32>(bswap<u32>(load<u32>(segment, TcpAt.SEQUENCE)) + n * size), TcpAt.SEQUENCE);
  let flags: u32 = load<u8>(segment, TcpAt.FLAGS);
  if (!isLast) flags &= ~LAST_ONLY;
  if (n != 0) flags &= ~FIRST_ONLY;
  store<u8>(segment, <u8>flags, TcpAt.FLAGS);
  store<u16>(segment, <u16>fold(pseudo + swap16(length)), TcpAt.CHECKSUM);
}

/** Fills in the checksum, for a driver that checks it. */
function finish(at: usize, payload: u32): void {
  const segment = HEAD + tcp;
  // The pseudo header's sum is in the field, so that it is summed too; the headers' length is even.
  const sum = <u64>sumBytes(segment, headers - tcp) + sumBytes(at, payload);
  store<u16>(segment, <u16>~fold(sum), TcpAt.CHECKSUM);
}

/** Puts the segment's first bytes where filters and steering look at them. */
function show(at: usize, payload: u32): void {
  const head = min(headers, PEEK_SIZE);
  memory.copy(PEEK, HEAD, head);
  const rest = min(payload, PEEK_SIZE - head);
  memory.copy(PEEK + head, at, rest);
  memory.fill(PEEK + head + rest, 0, PEEK_SIZE - head - rest);
}

/** Copies the segment into the pieces of `list`, which have room for it. */
function fill(list: usize, at: usize, payload: u32): void {
  let piece = list + 8;
  let used: u32 = 0;
  let from = HEAD;
  let left = headers;
  while (true) {
    const part = min(left, load<u32>(piece, 4) - used);
    memory.copy(<usize>load<u32>(piece) + used, from, part);
    from += part;
    left -= part;
    used += part;
    if (left == 0) {
      if (payload == 0) return;
      from = at;
      left = payload;
      payload = 0;
    } else {
      piece += 8;
      used = 0;
    }
  }
}

/** The header of a segment whose checksum is open. Devices write into theirs, so it is written for each. */
function leaveOpen(start: u32): void {
  memory.fill(HEADER, 0, NetHeader.SIZE);
  store<u8>(HEADER, NetHeaderFlag.NEEDS_CSUM, NetHeader.FLAGS);
  store<u16>(HEADER, <u16>start, NetHeader.CSUM_START);
  store<u16>(HEADER, TcpAt.CHECKSUM, NetHeader.CSUM_OFFSET);
}
