// virtio network device (virtio 1.2, 5.1): state, features, configuration space, and
// frames from the driver. Queues come in pairs, up to 8:
//
//   2n    receiveq n: empty buffers          2n + 1    transmitq n
//   2N    controlq, behind the N pairs that the driver knows of
//
// A frame from the driver is sent at the kick, from where it lies in guest memory, and its
// buffers are given back before the driver goes on. Checksums and segments that the driver
// leaves to us are left to the host in turn: its header goes along. Frames to the driver
// are in virtio-net-receive.ts, the control queue in virtio-net-control.ts.
//
// Left out: UDP segmentation, receive-side scaling and hash reports, notification
// coalescing (a driver that polls turns notifications off by itself), segment coalescing
// by the device, standby. DATA_VALID is never said: what lacks a checksum says NEEDS_CSUM.
import { Dev, DeviceKind } from "../../abi/device";
import { NetAt, NetGso, NetHeader, NetHeaderFlag, NetOffload } from "../../abi/net";
import { VirtioNet, VirtioNetConfig } from "../../abi/virtio";
import { copyFromChain, nextRun, seek } from "../virtio/chain";
import { VirtioDevice, chainAt, configAt, configChanged, deviceAt, deviceIndex, negotiated, privateAt, queueLive } from "../virtio/device";
import { Served } from "../virtio/served";
import { noteFlow, resetFlows } from "./flows";
import { HEADER_OUT, outAdd, outBegin, outSend } from "./pieces";
import { bindPort, copyMac, linkUp, netPort, portSound } from "./port";
import { serveControl } from "./virtio-net-control";
import { Addresses, Filter } from "./virtio-net-filter";
import { deliverFrame, frameRoom } from "./virtio-net-receive";

export const PAIRS_MAX: u32 = 8;
export const QUEUE_SIZE: u32 = 256;
export const CONFIG_SIZE: u32 = VirtioNetConfig.SIZE;

const FULL_DUPLEX: u8 = 1;

@unmanaged
export class Net {
  /** Guest offloads in force: the feature bits of CTRL_GUEST_OFFLOADS. */
  offloads: u64;
  /** Pairs that the host allows, and that the driver has in use. */
  pairs: u32;
  activePairs: u32;
  /** Receive queues, a bit each, in which the host found too little room. */
  starved: u32;
  /** Which frames the driver wants: RxMode bits. */
  rxMode: u32;
  /** Addresses in the port's tables. */
  unicasts: u32;
  multicasts: u32;
}

const enum At {
  VLANS = 0x40,
  VLANS_SIZE = 0x200,
}

// @ts-ignore: decorator
@inline
export function netOf(d: VirtioDevice): Net {
  return changetype<Net>(privateAt(d));
}

/** A bit for each of the 4,096 VLANs that the driver wants. */
// @ts-ignore: decorator
@inline
export function vlansAt(d: VirtioDevice): usize {
  return privateAt(d) + <usize>At.VLANS;
}

export function features(d: VirtioDevice): u64 {
  let all: u64 =
    (<u64>1 << VirtioNet.F_CSUM) |
    (<u64>1 << VirtioNet.F_GUEST_CSUM) |
    (<u64>1 << VirtioNet.F_CTRL_GUEST_OFFLOADS) |
    (<u64>1 << VirtioNet.F_MTU) |
    (<u64>1 << VirtioNet.F_MAC) |
    (<u64>1 << VirtioNet.F_GUEST_TSO4) |
    (<u64>1 << VirtioNet.F_GUEST_TSO6) |
    (<u64>1 << VirtioNet.F_GUEST_ECN) |
    (<u64>1 << VirtioNet.F_HOST_TSO4) |
    (<u64>1 << VirtioNet.F_HOST_TSO6) |
    (<u64>1 << VirtioNet.F_HOST_ECN) |
    (<u64>1 << VirtioNet.F_MRG_RXBUF) |
    (<u64>1 << VirtioNet.F_STATUS) |
    (<u64>1 << VirtioNet.F_CTRL_VQ) |
    (<u64>1 << VirtioNet.F_CTRL_RX) |
    (<u64>1 << VirtioNet.F_CTRL_VLAN) |
    (<u64>1 << VirtioNet.F_CTRL_RX_EXTRA) |
    (<u64>1 << VirtioNet.F_GUEST_ANNOUNCE) |
    (<u64>1 << VirtioNet.F_CTRL_MAC_ADDR) |
    (<u64>1 << VirtioNet.F_SPEED_DUPLEX);
  if (netOf(d).pairs > 1) all |= <u64>1 << VirtioNet.F_MQ;
  return all;
}

/** Features that CTRL_GUEST_OFFLOADS may switch while the driver runs (5.1.6.5.6). */
export const SWITCHABLE: u64 =
  (<u64>1 << VirtioNet.F_GUEST_CSUM) |
  (<u64>1 << VirtioNet.F_GUEST_TSO4) |
  (<u64>1 << VirtioNet.F_GUEST_TSO6) |
  (<u64>1 << VirtioNet.F_GUEST_ECN);

export function attached(d: VirtioDevice): void {
  if (!bindPort(d.backend, DeviceKind.VIRTIO_NET, deviceIndex(d))) unreachable();
  const p = netPort(d.backend);
  netOf(d).pairs = min(max(p.pairs, 1), PAIRS_MAX);
  const config = configAt(d);
  store<u16>(config, <u16>netOf(d).pairs, VirtioNetConfig.MAX_VIRTQUEUE_PAIRS);
  store<u16>(config, p.mtu, VirtioNetConfig.MTU);
  store<u32>(config, p.speed, VirtioNetConfig.SPEED);
  store<u8>(config, FULL_DUPLEX, VirtioNetConfig.DUPLEX);
}

export function reset(d: VirtioDevice): void {
  const n = netOf(d);
  n.offloads = 0;
  n.activePairs = 1;
  // What waited for the driver before may come when there is room again.
  n.starved = (1 << n.pairs) - 1;
  n.unicasts = 0;
  n.multicasts = 0;
  // A driver that cannot say what it wants gets everything.
  n.rxMode = Filter.PROMISC;
  memory.fill(vlansAt(d), 0, <usize>At.VLANS_SIZE);
  memory.fill(tablesAt(d), 0, <usize>NetAt.TABLES_SIZE);
  resetFlows(d.backend);
  copyMac(d.backend, configAt(d) + <usize>VirtioNetConfig.MAC);
  store<u16>(configAt(d), linkUp(d.backend) ? VirtioNet.S_LINK_UP : 0, VirtioNetConfig.STATUS);
}

/** The port's tables of addresses and flows (flows.ts, virtio-net-filter.ts). */
// @ts-ignore: decorator
@inline
export function tablesAt(d: VirtioDevice): usize {
  return <usize>Dev.NET + <usize>NetAt.TABLES + <usize>d.backend * <usize>NetAt.TABLES_SIZE;
}

export function featuresAgreed(d: VirtioDevice): void {
  netOf(d).offloads = d.driverFeatures & SWITCHABLE;
}

/** Queues that this device has: its pairs and the control queue. */
export function queues(d: VirtioDevice): u32 {
  return 2 * netOf(d).pairs + 1;
}

/** Which queue is the control queue depends on how many pairs the driver knows of (5.1.2). */
export function controlQueue(d: VirtioDevice): u32 {
  return negotiated(d, VirtioNet.F_MQ) ? 2 * netOf(d).pairs : 2;
}

export function servedAtKick(d: VirtioDevice, queue: u32): bool {
  return (queue & 1) != 0 || queue >= controlQueue(d);
}

/** May the interrupt for sent frames wait until the slice ends? */
export function mayOwe(d: VirtioDevice, queue: u32): bool {
  return (queue & 1) != 0 && queue < controlQueue(d);
}

export function serve(d: VirtioDevice, queue: u32): i64 {
  const control = controlQueue(d);
  if (queue == control) return serveControl(d);
  return queue < control ? transmit(d, queue >> 1) : 0;
}

/** One frame of the driver's: a header of 12 bytes, then the frame (5.1.6.2). */
function transmit(d: VirtioDevice, pair: u32): i64 {
  const c = chainAt(d);
  if (!copyFromChain(c, 0, HEADER_OUT, NetHeader.SIZE)) return Served.BROKEN;
  const length = c.readableBytes - NetHeader.SIZE;
  if (!linkUp(d.backend)) return 0;
  if (netOf(d).activePairs > 1) noteFlow(d.backend, c, length, pair);
  outBegin();
  seek(c, false, NetHeader.SIZE, length);
  for (let at = nextRun(c, length); at != 0; at = nextRun(c, length)) {
    if (!outAdd(at, c.run)) return 0; // more pieces than a frame can need: lost
  }
  const flags: u32 = load<u8>(HEADER_OUT, NetHeader.FLAGS) & <u8>NetHeaderFlag.NEEDS_CSUM;
  const gso: u32 = load<u8>(HEADER_OUT, NetHeader.GSO_TYPE);
  outSend(d.backend, flags == 0 && gso == <u32>NetGso.NONE ? 0 : HEADER_OUT);
  return 0;
}

// ---- what the host calls, through ports.ts ----

/** NetOffload bits, or -1 while the driver takes no frames. */
export function virtioNetOffloads(instance: u32): i32 {
  const d = deviceAt(instance);
  if (!queueLive(d, 0)) return -1;
  const on = netOf(d).offloads;
  if (((on >> VirtioNet.F_GUEST_CSUM) & 1) == 0) return NetOffload.NONE;
  let bits: u32 = NetOffload.CHECKSUM;
  if (((on >> VirtioNet.F_GUEST_TSO4) & 1) != 0) bits |= NetOffload.TSO4;
  if (((on >> VirtioNet.F_GUEST_TSO6) & 1) != 0) bits |= NetOffload.TSO6;
  if (((on >> VirtioNet.F_GUEST_ECN) & 1) != 0) bits |= NetOffload.ECN;
  return bits;
}

export function virtioNetRoom(instance: u32, length: u32): usize {
  return frameRoom(deviceAt(instance), length);
}

export function virtioNetDeliver(instance: u32, header: usize): void {
  deliverFrame(deviceAt(instance), header);
}

/** The link's state is as the port says. One that comes up is announced: the network may be another. */
export function virtioNetLink(instance: u32): void {
  const d = deviceAt(instance);
  const up = linkUp(d.backend);
  let status: u32 = up ? VirtioNet.S_LINK_UP : 0;
  if (up && negotiated(d, VirtioNet.F_GUEST_ANNOUNCE)) status |= VirtioNet.S_ANNOUNCE;
  store<u16>(configAt(d), <u16>status, VirtioNetConfig.STATUS);
  if (negotiated(d, VirtioNet.F_STATUS)) configChanged(d);
}

export function validate(d: VirtioDevice): bool {
  const n = netOf(d);
  if (!portSound(d.backend, DeviceKind.VIRTIO_NET, deviceIndex(d))) return false;
  if (n.pairs == 0 || n.pairs > PAIRS_MAX || n.activePairs == 0 || n.activePairs > n.pairs) return false;
  if ((n.offloads & ~SWITCHABLE) != 0 || n.starved >>> PAIRS_MAX != 0 || n.rxMode > <u32>Filter.ALL) return false;
  return n.unicasts <= <u32>Addresses.MAX && n.multicasts <= <u32>Addresses.MAX;
}
