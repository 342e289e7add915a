// Frames for tests, and a judge of them that shares no code with what it judges.

export const GUEST = [0x52, 0x54, 0, 0x12, 0x34, 0x56];
export const PEER = [0x02, 0, 0, 0, 0, 1];

const word = (n: number) => [(n >> 8) & 0xff, n & 0xff];
const long = (n: number) => [...word((n >>> 16) & 0xffff), ...word(n & 0xffff)];

/** Ones' complement sum, word by word. */
export function sumOf(bytes: ArrayLike<number>): number {
  let sum = 0;
  for (let i = 0; i < bytes.length; i += 2) {
    sum += (bytes[i] << 8) + (i + 1 < bytes.length ? bytes[i + 1] : 0);
    if (sum > 0xffff) sum -= 0xffff;
  }
  return sum;
}

export interface Tcp {
  version: 4 | 6;
  payload: Uint8Array;
  sequence?: number;
  flags?: number;
  id?: number;
  options?: number[];
  vlan?: number;
  to?: number[];
  from?: number[];
  /** Source and destination port. */
  ports?: [number, number];
}

/** A TCP segment whose checksum holds the pseudo header's sum alone; `start` is where TCP begins. */
export function tcpFrame(t: Tcp): { bytes: Uint8Array; start: number; headers: number } {
  const options = t.options ?? [];
  const tcpLength = 20 + options.length + t.payload.length;
  const addresses =
    t.version === 4
      ? [10, 0, 2, 15, 10, 0, 2, 2]
      : [0xfe, 0x80, ...Array(13).fill(0), 1, 0xfe, 0x80, ...Array(13).fill(0), 2];
  const ip =
    t.version === 4
      ? [0x45, 0, ...word(20 + tcpLength), ...word(t.id ?? 7), 0x40, 0, 64, 6, 0, 0, ...addresses]
      : [0x60, 0, 0, 0, ...word(tcpLength), 6, 64, ...addresses];
  if (t.version === 4) ip.splice(10, 2, ...word(0xffff - sumOf(ip)));
  const pseudo = sumOf([...addresses, 0, 6, ...word(tcpLength & 0xffff), ...word(tcpLength >> 16)]);
  const tcp = [
    ...word(t.ports?.[0] ?? 40_000),
    ...word(t.ports?.[1] ?? 5201),
    ...long(t.sequence ?? 1),
    ...long(99),
    (5 + options.length / 4) << 4,
    t.flags ?? 0x10,
    ...word(512),
    ...word(pseudo),
    0,
    0,
    ...options,
  ];
  const tag = t.vlan === undefined ? [] : [0x81, 0, ...word(t.vlan)];
  const ethernet = [...(t.to ?? PEER), ...(t.from ?? GUEST), ...tag, ...(t.version === 4 ? [8, 0] : [0x86, 0xdd])];
  const head = [...ethernet, ...ip, ...tcp];
  const bytes = new Uint8Array(head.length + t.payload.length);
  bytes.set(head);
  bytes.set(t.payload, head.length);
  return { bytes, start: ethernet.length + ip.length, headers: head.length };
}

/** What a receiver checks and learns of a finished segment; throws if a length or a checksum is wrong. */
export function readTcp(frame: Uint8Array): { payload: Uint8Array; sequence: number; flags: number; id: number } {
  let at = 12;
  if (frame[at] === 0x81) at += 4;
  const isIpv4 = frame[at] === 8;
  const ip = at + 2;
  const tcp = ip + (isIpv4 ? 20 : 40);
  const get = (offset: number) => (frame[offset] << 8) | frame[offset + 1];
  const tcpLength = isIpv4 ? get(ip + 2) - 20 : get(ip + 4);
  if (tcp + tcpLength !== frame.length) throw new Error(`the headers say ${tcp + tcpLength} of ${frame.length} bytes`);
  if (isIpv4 && sumOf(frame.subarray(ip, tcp)) !== 0xffff) throw new Error("checksum of the IPv4 header");
  const addresses = isIpv4 ? frame.subarray(ip + 12, ip + 20) : frame.subarray(ip + 8, ip + 40);
  const sum = sumOf([...addresses, 0, 6, ...word(tcpLength), ...frame.subarray(tcp)]);
  if (sum !== 0xffff) throw new Error(`checksum of the segment: sum 0x${sum.toString(16)}`);
  return {
    payload: frame.subarray(tcp + 4 * (frame[tcp + 12] >> 4)),
    sequence: ((get(tcp + 4) << 16) | get(tcp + 6)) >>> 0,
    flags: frame[tcp + 13],
    id: isIpv4 ? get(ip + 4) : 0,
  };
}

/** Bytes that differ from place to place. */
export function pattern(length: number, salt = 1): Uint8Array {
  return Uint8Array.from({ length }, (_, i) => (i * 7 + (i >> 8) * 13 + salt) & 0xff);
}

/** An Ethernet frame of no protocol. */
export function plainFrame(length: number, to = GUEST, from = PEER): Uint8Array {
  const bytes = pattern(length);
  bytes.set([...to, ...from, 0x88, 0xb5]);
  return bytes;
}
