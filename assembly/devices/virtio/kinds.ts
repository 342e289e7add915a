// What each kind of virtio device does at the points where the common part asks. One more
// device is one more case here.
import { DeviceKind } from "../../abi/device";
import { VirtioFeature, VirtioId } from "../../abi/virtio";
import * as blk from "../block/virtio-blk";
import * as serial from "../console/virtio-console";
import * as net from "../net/virtio-net";
import { roomAdded as netRoomAdded } from "../net/virtio-net-receive";
import * as rng from "../rng/virtio-rng";
import { VirtioDevice } from "./device";
import { Served } from "./served";

/** Identifier that drivers match (virtio 1.2, 5), NONE for a kind that is no virtio device. */
export function virtioId(kind: u32): u32 {
  switch (kind) {
    case DeviceKind.VIRTIO_BLK: return VirtioId.BLOCK;
    case DeviceKind.VIRTIO_CONSOLE: return VirtioId.CONSOLE;
    case DeviceKind.VIRTIO_RNG: return VirtioId.ENTROPY;
    case DeviceKind.VIRTIO_NET: return VirtioId.NETWORK;
    default: return VirtioId.NONE;
  }
}

/** PCI class code, 24 bits. */
export function pciClass(kind: u32): u32 {
  switch (kind) {
    case DeviceKind.VIRTIO_BLK: return 0x01_80_00; // mass storage, other
    case DeviceKind.VIRTIO_CONSOLE: return 0x07_80_00; // communication, other
    case DeviceKind.VIRTIO_NET: return 0x02_00_00; // network, Ethernet
    default: return 0xff_00_00;
  }
}

export function queueCount(kind: u32): u32 {
  switch (kind) {
    case DeviceKind.VIRTIO_BLK: return 1;
    case DeviceKind.VIRTIO_CONSOLE: return serial.QUEUES;
    case DeviceKind.VIRTIO_RNG: return 1;
    case DeviceKind.VIRTIO_NET: return net.QUEUES;
    default: return 0;
  }
}

/** Largest size of each queue. */
export function queueMax(kind: u32): u32 {
  switch (kind) {
    case DeviceKind.VIRTIO_BLK: return blk.QUEUE_SIZE;
    case DeviceKind.VIRTIO_CONSOLE: return serial.QUEUE_SIZE;
    case DeviceKind.VIRTIO_RNG: return rng.QUEUE_SIZE;
    case DeviceKind.VIRTIO_NET: return net.QUEUE_SIZE;
    default: return 0;
  }
}

/** Feature bits on offer. */
export function deviceFeatures(d: VirtioDevice): u64 {
  const common: u64 = (<u64>1 << VirtioFeature.VERSION_1) | (<u64>1 << VirtioFeature.INDIRECT_DESC) | (<u64>1 << VirtioFeature.EVENT_IDX);
  switch (d.kind) {
    case DeviceKind.VIRTIO_BLK: return common | blk.features(d);
    case DeviceKind.VIRTIO_CONSOLE: return common | serial.features(d);
    case DeviceKind.VIRTIO_RNG: return common;
    case DeviceKind.VIRTIO_NET: return common | net.features(d);
    default: return 0;
  }
}

/** Bytes of configuration space. */
export function configSize(kind: u32): u32 {
  switch (kind) {
    case DeviceKind.VIRTIO_BLK: return blk.CONFIG_SIZE;
    case DeviceKind.VIRTIO_CONSOLE: return serial.CONFIG_SIZE;
    case DeviceKind.VIRTIO_NET: return net.CONFIG_SIZE;
    default: return 0;
  }
}

export function configWritten(d: VirtioDevice, offset: u32, size: u32, value: u64): void {
  switch (d.kind) {
    case DeviceKind.VIRTIO_BLK: blk.configWritten(d, offset, size, value); break;
    case DeviceKind.VIRTIO_CONSOLE: serial.configWritten(d, offset, value); break;
    case DeviceKind.VIRTIO_NET: d.strays++; break;
    default: break;
  }
}

/** The driver's features are final: FEATURES_OK is set. */
export function featuresAgreed(d: VirtioDevice): void {
  if (d.kind == <u32>DeviceKind.VIRTIO_BLK) blk.featuresAgreed(d);
  if (d.kind == <u32>DeviceKind.VIRTIO_NET) net.featuresAgreed(d);
}

/** Fills a fresh device's own state from its capacity in bytes; the rest is zero. */
export function attached(d: VirtioDevice, capacity: f64): void {
  switch (d.kind) {
    case DeviceKind.VIRTIO_BLK: blk.attached(d, capacity); break;
    case DeviceKind.VIRTIO_CONSOLE: serial.attached(d); break;
    case DeviceKind.VIRTIO_NET: net.attached(d); break;
    default: break;
  }
}

export function resetKind(d: VirtioDevice): void {
  switch (d.kind) {
    case DeviceKind.VIRTIO_BLK: blk.reset(d); break;
    case DeviceKind.VIRTIO_CONSOLE: serial.reset(d); break;
    case DeviceKind.VIRTIO_NET: net.reset(d); break;
    default: break;
  }
}

/** The driver stopped a queue: chains that the device holds are no longer its own. */
export function queueStopped(d: VirtioDevice): void {
  if (d.kind == <u32>DeviceKind.VIRTIO_BLK) blk.forgetHeld(d);
}

/** True if chains of `queue` are served as they come; false if they are room for input, taken when there is some. */
export function servedAtKick(d: VirtioDevice, queue: u32): bool {
  if (d.kind == <u32>DeviceKind.VIRTIO_NET) return net.servedAtKick(d, queue);
  return d.kind != <u32>DeviceKind.VIRTIO_CONSOLE || (queue & 1) != 0;
}

/**
 * May the interrupt for served chains of `queue` wait until the slice ends? A console driver
 * spins until its output is taken, which it was at the kick: by then it has seen that,
 * and says through the event index that it wants no interrupt any more.
 */
export function mayOwe(d: VirtioDevice, queue: u32): bool {
  if (d.kind == <u32>DeviceKind.VIRTIO_NET) return net.mayOwe(d, queue);
  return d.kind == <u32>DeviceKind.VIRTIO_CONSOLE && (queue & 1) != 0;
}

/** Room for input was added to `queue`. */
export function roomAdded(d: VirtioDevice, queue: u32): void {
  if (d.kind == <u32>DeviceKind.VIRTIO_CONSOLE) serial.roomAdded(d, queue);
  if (d.kind == <u32>DeviceKind.VIRTIO_NET) netRoomAdded(d, queue);
}

/** False while the device can take no more chains. */
export function canServe(d: VirtioDevice): bool {
  return d.kind != <u32>DeviceKind.VIRTIO_BLK || blk.canServe(d);
}

/** Does what the popped chain asks. Bytes written to its writable stream, or Served. */
export function serveChain(d: VirtioDevice, queue: u32): i64 {
  switch (d.kind) {
    case DeviceKind.VIRTIO_BLK: return blk.serve(d);
    case DeviceKind.VIRTIO_CONSOLE: return serial.serve(d, queue);
    case DeviceKind.VIRTIO_RNG: return rng.serve(d);
    case DeviceKind.VIRTIO_NET: return net.serve(d, queue);
    default: return Served.BROKEN;
  }
}

export function validateKind(d: VirtioDevice): bool {
  switch (d.kind) {
    case DeviceKind.VIRTIO_BLK: return blk.validate(d);
    case DeviceKind.VIRTIO_CONSOLE: return serial.validate(d);
    case DeviceKind.VIRTIO_RNG: return true;
    case DeviceKind.VIRTIO_NET: return net.validate(d);
    default: return false;
  }
}

/** After a restore: asks the host again for what it had not answered. */
export function resumeKind(d: VirtioDevice): void {
  if (d.kind == <u32>DeviceKind.VIRTIO_BLK) blk.resume(d);
}
