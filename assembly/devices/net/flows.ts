// Automatic receive steering (virtio 1.2, 5.1.6.5.5): frames of a flow go to the pair of
// queues on which the driver last sent for it. A flow is known by a hash of addresses and
// ports that is the same in both directions; flows that share one of 64 places share a pair.
import { Dev } from "../../abi/device";
import { NetAt } from "../../abi/net";
import { Chain, copyFromChain } from "../virtio/chain";

const PEEK: usize = <usize>Dev.NET + <usize>NetAt.PEEK;
const HEADER: u32 = 12;
const FLOWS: usize = 0xc0;
const PLACES: u32 = 64;

// As they lie in memory.
const TYPE_VLAN: u16 = 0x0081;
const TYPE_IPV4: u16 = 0x0008;
const TYPE_IPV6: u16 = 0xdd86;
const PROTOCOL_TCP: u32 = 6;
const PROTOCOL_UDP: u32 = 17;

// @ts-ignore: decorator
@inline
function placeAt(port: u32, place: u32): usize {
  return <usize>Dev.NET + <usize>NetAt.TABLES + <usize>port * <usize>NetAt.TABLES_SIZE + FLOWS + place;
}

export function resetFlows(port: u32): void {
  memory.fill(placeAt(port, 0), 0, PLACES);
}

/** Notes the flow of the frame of `length` bytes in the chain, behind its header. */
export function noteFlow(port: u32, c: Chain, length: u32, pair: u32): void {
  const shown = min(length, <u32>NetAt.PEEK_SIZE);
  memory.fill(PEEK, 0, <usize>NetAt.PEEK_SIZE);
  copyFromChain(c, HEADER, PEEK, shown);
  store<u8>(placeAt(port, hash()), <u8>pair);
}

/** The pair for the frame that begins at NetAt.PEEK. */
export function pairOfFlow(port: u32): u32 {
  return load<u8>(placeAt(port, hash()));
}

/** Place of the frame's flow; 0 for what is neither IPv4 nor IPv6. */
function hash(): u32 {
  let at = PEEK + 14;
  let type = load<u16>(at - 2);
  if (type == TYPE_VLAN) {
    at += 4;
    type = load<u16>(at - 2);
  }
  let h: u32;
  let protocol: u32;
  let ports: usize;
  if (type == TYPE_IPV4) {
    h = load<u32>(at, 12) ^ load<u32>(at, 16);
    // The ports of a fragment are in the first alone.
    protocol = (bswap<u16>(load<u16>(at, 6)) & 0x3fff) == 0 ? <u32>load<u8>(at, 9) : 0;
    ports = at + ((<usize>load<u8>(at) & 15) << 2);
  } else if (type == TYPE_IPV6) {
    const folded = load<u64>(at, 8) ^ load<u64>(at, 16) ^ load<u64>(at, 24) ^ load<u64>(at, 32);
    h = <u32>folded ^ <u32>(folded >> 32);
    protocol = load<u8>(at, 6);
    ports = at + 40;
  } else return 0;
  const inside = ports + 4 <= PEEK + <usize>NetAt.PEEK_SIZE;
  if (inside && (protocol == PROTOCOL_TCP || protocol == PROTOCOL_UDP)) h ^= load<u16>(ports) ^ load<u16>(ports, 2);
  return (h * 0x9e37_79b1) >>> 26;
}
