// The headers of a frame, as far as checksums and segments need them: Ethernet with an
// optional VLAN tag, IPv4 (RFC 791) or IPv6 (RFC 8200) without extension headers, TCP (RFC 9293).

/** Bytes from a frame's start that hold all headers which findTcp() understands. */
export const HEADERS_MAX = 14 + 4 + 60 + 60;

const ETHERTYPE_VLAN = 0x8100;
const ETHERTYPE_IPV4 = 0x0800;
const ETHERTYPE_IPV6 = 0x86dd;
const PROTOCOL_TCP = 6;

/** Where the headers of a TCP segment lie, as offsets from the frame's start. */
export interface TcpHeaders {
  version: 4 | 6;
  ip: number;
  tcp: number;
  /** Where its data begins. */
  data: number;
}

/** The headers of `frame`, of which `frame` may be the beginning alone; undefined if it is no whole TCP segment. */
export function findTcp(frame: Uint8Array): TcpHeaders | undefined {
  const word = (at: number) => (frame[at] << 8) | frame[at + 1];
  let ip = 14;
  let type = word(12);
  if (type === ETHERTYPE_VLAN) {
    type = word(16);
    ip = 18;
  }
  let tcp: number;
  if (type === ETHERTYPE_IPV4) {
    const words = frame[ip] & 15;
    // A fragment has no header of its own, or not all of its data.
    if (frame[ip] >> 4 !== 4 || words < 5 || frame[ip + 9] !== PROTOCOL_TCP || (word(ip + 6) & 0x3fff) !== 0) return;
    tcp = ip + 4 * words;
  } else if (type === ETHERTYPE_IPV6) {
    if (frame[ip] >> 4 !== 6 || frame[ip + 6] !== PROTOCOL_TCP) return;
    tcp = ip + 40;
  } else return;
  const words = frame[tcp + 12] >> 4;
  const data = tcp + 4 * words;
  // What lies beyond the end is undefined, and every comparison with that is false.
  if (!(words >= 5 && data <= frame.length)) return;
  return { version: type === ETHERTYPE_IPV4 ? 4 : 6, ip, tcp, data };
}
