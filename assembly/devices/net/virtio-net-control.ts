// The control queue (virtio 1.2, 5.1.6.5): one command a chain, {class u8, command u8}
// and its data to read, one byte to answer in.
import { NetAt } from "../../abi/net";
import { Dev } from "../../abi/device";
import { VirtioNet, VirtioNetConfig } from "../../abi/virtio";
import { copyFromChain, copyToChain } from "../virtio/chain";
import { VirtioDevice, chainAt, configAt, negotiated } from "../virtio/device";
import { Served } from "../virtio/served";
import { SWITCHABLE, netOf, tablesAt } from "./virtio-net";
import { Addresses, Filter, setVlan } from "./virtio-net-filter";

/** Where a command and its answer are looked at; frames have no use for it meanwhile. */
const WORK: usize = <usize>Dev.NET + <usize>NetAt.HEADER_IN;

const MAC_SIZE: u32 = 6;

export function serveControl(d: VirtioDevice): i64 {
  const c = chainAt(d);
  if (c.writableBytes == 0 || !copyFromChain(c, 0, WORK, VirtioNet.CTRL_HEADER)) return Served.BROKEN;
  const done = command(d, load<u8>(WORK), load<u8>(WORK, 1), c.readableBytes - VirtioNet.CTRL_HEADER);
  store<u8>(WORK, done ? VirtioNet.CTRL_OK : VirtioNet.CTRL_ERR);
  return copyToChain(c, 0, WORK, 1) ? 1 : <i64>Served.BROKEN;
}

/** Copies `size` bytes at `offset` of the command's data to WORK. */
function data(d: VirtioDevice, offset: u32, size: u32): bool {
  return copyFromChain(chainAt(d), VirtioNet.CTRL_HEADER + offset, WORK, size);
}

/** False: refused. */
function command(d: VirtioDevice, group: u32, code: u32, length: u32): bool {
  switch (group) {
    case VirtioNet.CTRL_RX: return negotiated(d, VirtioNet.F_CTRL_RX) && receiveMode(d, code, length);
    case VirtioNet.CTRL_MAC: return address(d, code, length);
    case VirtioNet.CTRL_VLAN: return negotiated(d, VirtioNet.F_CTRL_VLAN) && vlan(d, code, length);
    case VirtioNet.CTRL_ANNOUNCE: return negotiated(d, VirtioNet.F_GUEST_ANNOUNCE) && announced(d, code);
    case VirtioNet.CTRL_MQ: return negotiated(d, VirtioNet.F_MQ) && usePairs(d, code, length);
    case VirtioNet.CTRL_GUEST_OFFLOADS: return negotiated(d, VirtioNet.F_CTRL_GUEST_OFFLOADS) && switchOffloads(d, code, length);
    default: return false;
  }
}

function receiveMode(d: VirtioDevice, code: u32, length: u32): bool {
  if (length != 1 || code > <u32>VirtioNet.CTRL_RX_NOBCAST || !data(d, 0, 1)) return false;
  if (code > <u32>VirtioNet.CTRL_RX_ALLMULTI && !negotiated(d, VirtioNet.F_CTRL_RX_EXTRA)) return false;
  const n = netOf(d);
  const bit: u32 = 1 << code; // the modes' numbers are those of Filter's bits
  if (load<u8>(WORK) != 0) n.rxMode |= bit;
  else n.rxMode &= ~bit;
  return true;
}

function address(d: VirtioDevice, code: u32, length: u32): bool {
  if (code == <u32>VirtioNet.CTRL_MAC_TABLE_SET) return negotiated(d, VirtioNet.F_CTRL_RX) && setTables(d, length);
  if (code != <u32>VirtioNet.CTRL_MAC_ADDR_SET || length != MAC_SIZE || !negotiated(d, VirtioNet.F_CTRL_MAC_ADDR)) return false;
  if (!data(d, 0, MAC_SIZE)) return false;
  memory.copy(configAt(d) + <usize>VirtioNetConfig.MAC, WORK, MAC_SIZE);
  return true;
}

/** Two tables, {entries u32, addresses} each: unicast, then multicast. Both are checked before either is taken. */
function setTables(d: VirtioDevice, length: u32): bool {
  if (!data(d, 0, 4)) return false;
  const unicasts = load<u32>(WORK);
  if (unicasts > length / MAC_SIZE) return false;
  const second = 4 + unicasts * MAC_SIZE;
  if (!data(d, second, 4)) return false;
  const multicasts = load<u32>(WORK);
  if (multicasts > length / MAC_SIZE || second + 4 + multicasts * MAC_SIZE != length) return false;
  const n = netOf(d);
  n.unicasts = keepTable(d, 4, unicasts, tablesAt(d), Filter.UNICASTS_OVERFLOWED);
  n.multicasts = keepTable(d, second + 4, multicasts, tablesAt(d) + <usize>Addresses.MULTICASTS, Filter.MULTICASTS_OVERFLOWED);
  return true;
}

function keepTable(d: VirtioDevice, offset: u32, count: u32, table: usize, overflow: u32): u32 {
  const n = netOf(d);
  if (count > <u32>Addresses.MAX) {
    n.rxMode |= overflow;
    return 0;
  }
  n.rxMode &= ~overflow;
  copyFromChain(chainAt(d), VirtioNet.CTRL_HEADER + offset, table, count * MAC_SIZE);
  return count;
}

function vlan(d: VirtioDevice, code: u32, length: u32): bool {
  if (length != 2 || code > <u32>VirtioNet.CTRL_VLAN_DEL || !data(d, 0, 2)) return false;
  const number: u32 = load<u16>(WORK);
  if (number > 0xfff) return false;
  setVlan(d, number, code == <u32>VirtioNet.CTRL_VLAN_ADD);
  return true;
}

/** The driver has told the network where it is (5.1.6.5.4). */
function announced(d: VirtioDevice, code: u32): bool {
  if (code != <u32>VirtioNet.CTRL_ANNOUNCE_ACK) return false;
  const at = configAt(d);
  store<u16>(at, load<u16>(at, VirtioNetConfig.STATUS) & ~(<u16>VirtioNet.S_ANNOUNCE), VirtioNetConfig.STATUS);
  return true;
}

function usePairs(d: VirtioDevice, code: u32, length: u32): bool {
  if (code != <u32>VirtioNet.CTRL_MQ_VQ_PAIRS_SET || length != 2 || !data(d, 0, 2)) return false;
  const pairs: u32 = load<u16>(WORK);
  const n = netOf(d);
  if (pairs == 0 || pairs > n.pairs) return false;
  n.activePairs = pairs;
  return true;
}

/** Segments cannot come without their checksum undone (5.1.3.1). */
function switchOffloads(d: VirtioDevice, code: u32, length: u32): bool {
  if (code != <u32>VirtioNet.CTRL_GUEST_OFFLOADS_SET || length != 8 || !data(d, 0, 8)) return false;
  const wanted = load<u64>(WORK);
  if ((wanted & ~(d.driverFeatures & SWITCHABLE)) != 0) return false;
  netOf(d).offloads = wanted;
  return true;
}
