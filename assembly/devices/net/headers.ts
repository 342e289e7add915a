// Headers of frames, as those that check them and those that write them know them (IEEE 802.3, 802.1Q; RFC 791, RFC 8200).

export const ETHERNET_HEADER: u32 = 14;
/** Where the type is, and what a VLAN tag takes in front of it. */
export const TYPE: u32 = 12;
export const TAG: u32 = 4;
export const TYPE_IPV4: u32 = 0x0800;
export const TYPE_IPV6: u32 = 0x86dd;
export const TYPE_VLAN: u32 = 0x8100;
export const IPV4_HEADER: u32 = 20;
export const IPV6_HEADER: u32 = 40;
export const PROTOCOL_TCP: u32 = 6;
export const PROTOCOL_UDP: u32 = 17;

// @ts-ignore: decorator
@inline
export function be16(at: usize): u32 {
  return bswap<u16>(load<u16>(at));
}

// @ts-ignore: decorator
@inline
export function putBe16(at: usize, value: u32): void {
  store<u16>(at, bswap<u16>(<u16>value));
}
