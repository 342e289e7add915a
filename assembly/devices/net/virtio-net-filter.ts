// Which frames a driver wants (virtio 1.2, 5.1.6.5.1 to 5.1.6.5.3): modes, its tables of
// addresses, its VLANs. Each table holds 16 addresses; a driver that names more gets every
// frame of that sort, as it could not complain of too many.
//
//   the port's tables:  +0x00 unicast addresses, 6 bytes each   +0x60 multicast addresses
//                       +0xc0 flows (flows.ts)
import { Dev } from "../../abi/device";
import { NetAt } from "../../abi/net";
import { VirtioNet, VirtioNetConfig } from "../../abi/virtio";
import { VirtioDevice, configAt, negotiated } from "../virtio/device";
import { netOf, tablesAt, vlansAt } from "./virtio-net";

/** Modes as bits of Net.rxMode. */
export const enum Filter {
  PROMISC = 1 << 0,
  ALLMULTI = 1 << 1,
  ALLUNI = 1 << 2,
  NOMULTI = 1 << 3,
  NOUNI = 1 << 4,
  NOBCAST = 1 << 5,
  /** A table was too long to keep. */
  UNICASTS_OVERFLOWED = 1 << 6,
  MULTICASTS_OVERFLOWED = 1 << 7,
  ALL = 0xff,
}

/** The port's tables of addresses. */
export const enum Addresses {
  MAX = 16,
  MULTICASTS = 0x60,
}

const VLAN_TYPE: u16 = 0x0081; // 0x8100 as it lies in memory

const PEEK: usize = <usize>Dev.NET + <usize>NetAt.PEEK;

/** Does the driver want the frame whose first bytes are at NetAt.PEEK? */
export function wanted(d: VirtioDevice): bool {
  if (negotiated(d, VirtioNet.F_CTRL_VLAN) && load<u16>(PEEK, 12) == VLAN_TYPE && !hasVlan(d, bswap<u16>(load<u16>(PEEK, 14)))) return false;
  const n = netOf(d);
  const mode = n.rxMode;
  if ((mode & <u32>Filter.PROMISC) != 0) return true;
  const low = load<u32>(PEEK);
  const high = load<u16>(PEEK, 4);
  if ((low & 1) == 0) {
    if ((mode & <u32>Filter.NOUNI) != 0) return false;
    const all: u32 = Filter.ALLUNI | Filter.UNICASTS_OVERFLOWED;
    if ((mode & all) != 0 || isAt(configAt(d) + <usize>VirtioNetConfig.MAC, low, high)) return true;
    return contains(tablesAt(d), n.unicasts, low, high);
  }
  if (low == 0xffff_ffff && high == 0xffff) return (mode & <u32>Filter.NOBCAST) == 0;
  if ((mode & <u32>Filter.NOMULTI) != 0) return false;
  const all: u32 = Filter.ALLMULTI | Filter.MULTICASTS_OVERFLOWED;
  return (mode & all) != 0 || contains(tablesAt(d) + <usize>Addresses.MULTICASTS, n.multicasts, low, high);
}

function isAt(at: usize, low: u32, high: u16): bool {
  return load<u32>(at) == low && load<u16>(at, 4) == high;
}

function contains(table: usize, count: u32, low: u32, high: u16): bool {
  for (let i: u32 = 0; i < count; i++) {
    if (isAt(table + <usize>i * 6, low, high)) return true;
  }
  return false;
}

function hasVlan(d: VirtioDevice, tag: u16): bool {
  const vlan = <u32>tag & 0xfff;
  return (load<u8>(vlansAt(d) + (vlan >> 3)) & (<u8>1 << <u8>(vlan & 7))) != 0;
}

export function setVlan(d: VirtioDevice, vlan: u32, on: bool): void {
  const at = vlansAt(d) + (vlan >> 3);
  const bit = <u8>1 << <u8>(vlan & 7);
  store<u8>(at, on ? load<u8>(at) | bit : load<u8>(at) & ~bit);
}
