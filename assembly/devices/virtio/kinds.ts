// What each kind of virtio device does at the points where the common part asks. One more
// device is one more case here.
import { DeviceKind } from "../../abi/device";
import { DeviceSlot } from "../../abi/hypercall";
import { VirtioAttach, VirtioFeature, VirtioId } from "../../abi/virtio";
import { mayServe, noteHeld, served } from "../../hypercall/devices";
import * as blk from "../block/virtio-blk";
import * as pmem from "../block/virtio-pmem";
import * as serial from "../console/virtio-console";
import * as custom from "../custom/virtio-custom";
import * as fs from "../files/virtio-9p";
import * as net from "../net/virtio-net";
import { roomAdded as netRoomAdded } from "../net/virtio-net-receive";
import * as balloon from "../memory/virtio-balloon";
import * as mem from "../memory/virtio-mem";
import * as rng from "../rng/virtio-rng";
import * as rtc from "../rtc/virtio-rtc";
import * as vsock from "../vsock/virtio-vsock";
import { VirtioDevice, onPci } from "./device";
import { abandonHeld, canHold, forgetHeld } from "./held";
import { Served } from "./served";

/** Identifier that drivers match (virtio 1.2, 5), NONE for a kind that is no virtio device. */
export function virtioId(kind: u32): u32 {
  switch (kind) {
    case DeviceKind.VIRTIO_BLK: return VirtioId.BLOCK;
    case DeviceKind.VIRTIO_CONSOLE: return VirtioId.CONSOLE;
    case DeviceKind.VIRTIO_RNG: return VirtioId.ENTROPY;
    case DeviceKind.VIRTIO_9P: return VirtioId.TRANSPORT_9P;
    case DeviceKind.VIRTIO_VSOCK: return VirtioId.SOCKET;
    case DeviceKind.VIRTIO_NET: return VirtioId.NETWORK;
    case DeviceKind.VIRTIO_BALLOON: return VirtioId.BALLOON;
    case DeviceKind.VIRTIO_PMEM: return VirtioId.PMEM;
    case DeviceKind.VIRTIO_MEM: return VirtioId.MEM;
    case DeviceKind.VIRTIO_RTC: return VirtioId.RTC;
    case DeviceKind.VIRTIO_CUSTOM: return VirtioId.ANY;
    default: return VirtioId.NONE;
  }
}

/** The same of a device: what the host defines has the identifier that the host says. */
export function deviceId(d: VirtioDevice): u32 {
  return d.kind == <u32>DeviceKind.VIRTIO_CUSTOM ? custom.idOf(d) : virtioId(d.kind);
}

/** PCI class code, 24 bits. */
export function pciClass(kind: u32): u32 {
  switch (kind) {
    case DeviceKind.VIRTIO_BLK: return 0x01_80_00; // mass storage, other
    case DeviceKind.VIRTIO_CONSOLE: return 0x07_80_00; // communication, other
    case DeviceKind.VIRTIO_VSOCK: return 0x02_80_00; // network, other
    case DeviceKind.VIRTIO_NET: return 0x02_00_00; // network, Ethernet
    default: return 0xff_00_00;
  }
}

/** Queues that the device has, 0 if it is no virtio device. */
export function queuesOf(d: VirtioDevice): u32 {
  switch (d.kind) {
    case DeviceKind.VIRTIO_BLK: return blk.queues(d);
    case DeviceKind.VIRTIO_CONSOLE: return serial.QUEUES;
    case DeviceKind.VIRTIO_RNG: return 1;
    case DeviceKind.VIRTIO_9P: return 1;
    case DeviceKind.VIRTIO_VSOCK: return vsock.QUEUES;
    case DeviceKind.VIRTIO_NET: return net.queues(d);
    case DeviceKind.VIRTIO_BALLOON: return balloon.QUEUES;
    case DeviceKind.VIRTIO_PMEM: return 1;
    case DeviceKind.VIRTIO_MEM: return 1;
    case DeviceKind.VIRTIO_RTC: return rtc.QUEUES;
    case DeviceKind.VIRTIO_CUSTOM: return custom.queues(d);
    default: return 0;
  }
}

/** Largest size of each queue. */
export function queueMax(d: VirtioDevice): u32 {
  switch (d.kind) {
    case DeviceKind.VIRTIO_BLK: return blk.QUEUE_SIZE;
    case DeviceKind.VIRTIO_CONSOLE: return serial.QUEUE_SIZE;
    case DeviceKind.VIRTIO_RNG: return rng.QUEUE_SIZE;
    case DeviceKind.VIRTIO_9P: return fs.QUEUE_SIZE;
    case DeviceKind.VIRTIO_VSOCK: return vsock.QUEUE_SIZE;
    case DeviceKind.VIRTIO_NET: return net.QUEUE_SIZE;
    case DeviceKind.VIRTIO_BALLOON: return balloon.QUEUE_SIZE;
    case DeviceKind.VIRTIO_PMEM: return pmem.QUEUE_SIZE;
    case DeviceKind.VIRTIO_MEM: return mem.QUEUE_SIZE;
    case DeviceKind.VIRTIO_RTC: return rtc.QUEUE_SIZE;
    case DeviceKind.VIRTIO_CUSTOM: return custom.queueSize(d);
    default: return 0;
  }
}

/** Feature bits on offer. */
export function deviceFeatures(d: VirtioDevice): u64 {
  const common = transportFeatures(d);
  switch (d.kind) {
    case DeviceKind.VIRTIO_BLK: return common | blk.features(d);
    case DeviceKind.VIRTIO_CONSOLE: return common | serial.features(d);
    case DeviceKind.VIRTIO_RNG: return common;
    case DeviceKind.VIRTIO_9P: return common | fs.features();
    case DeviceKind.VIRTIO_VSOCK: return common | vsock.features();
    case DeviceKind.VIRTIO_NET: return common | net.features(d);
    case DeviceKind.VIRTIO_BALLOON: return common | balloon.features();
    case DeviceKind.VIRTIO_PMEM: return common;
    case DeviceKind.VIRTIO_MEM: return common | mem.features();
    case DeviceKind.VIRTIO_RTC: return common;
    case DeviceKind.VIRTIO_CUSTOM: return common | custom.features(d);
    default: return 0;
  }
}

/** What rings and transports can do, whatever is behind them (6). Some of it costs a driver more than it brings here: on request. */
function transportFeatures(d: VirtioDevice): u64 {
  let features: u64 =
    (<u64>1 << VirtioFeature.VERSION_1) |
    (<u64>1 << VirtioFeature.EVENT_IDX) |
    (<u64>1 << VirtioFeature.RING_RESET);
  if ((d.flags & <u32>VirtioAttach.NO_INDIRECT) == 0) features |= <u64>1 << VirtioFeature.INDIRECT_DESC;
  if ((d.flags & <u32>VirtioAttach.RING_PACKED) != 0) features |= <u64>1 << VirtioFeature.RING_PACKED;
  if ((d.flags & <u32>VirtioAttach.NOTIFICATION_DATA) != 0) {
    features |= <u64>1 << VirtioFeature.NOTIFICATION_DATA;
    if (onPci(d)) features |= <u64>1 << VirtioFeature.NOTIF_CONFIG_DATA;
  }
  return features;
}

/** Bytes of configuration space. */
export function configSize(d: VirtioDevice): u32 {
  switch (d.kind) {
    case DeviceKind.VIRTIO_BLK: return blk.CONFIG_SIZE;
    case DeviceKind.VIRTIO_CONSOLE: return serial.CONFIG_SIZE;
    case DeviceKind.VIRTIO_9P: return fs.CONFIG_SIZE;
    case DeviceKind.VIRTIO_VSOCK: return vsock.CONFIG_SIZE;
    case DeviceKind.VIRTIO_NET: return net.CONFIG_SIZE;
    case DeviceKind.VIRTIO_BALLOON: return balloon.CONFIG_SIZE;
    case DeviceKind.VIRTIO_PMEM: return pmem.CONFIG_SIZE;
    case DeviceKind.VIRTIO_MEM: return mem.CONFIG_SIZE;
    case DeviceKind.VIRTIO_CUSTOM: return custom.configSize(d);
    default: return 0;
  }
}

export function configWritten(d: VirtioDevice, offset: u32, size: u32, value: u64): void {
  switch (d.kind) {
    case DeviceKind.VIRTIO_BLK: blk.configWritten(d, offset, size, value); break;
    case DeviceKind.VIRTIO_CONSOLE: serial.configWritten(d, offset, value); break;
    case DeviceKind.VIRTIO_BALLOON: balloon.configWritten(d, offset, size, value); break;
    case DeviceKind.VIRTIO_CUSTOM: custom.configWritten(d, offset, size, value); break;
    default: d.strays++; break;
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
    case DeviceKind.VIRTIO_PMEM: pmem.attached(d, capacity); break;
    case DeviceKind.VIRTIO_MEM: mem.attached(d, capacity); break;
    case DeviceKind.VIRTIO_CUSTOM: custom.attached(d); break;
    default: break;
  }
}

export function resetKind(d: VirtioDevice): void {
  switch (d.kind) {
    case DeviceKind.VIRTIO_BLK: blk.reset(d); break;
    case DeviceKind.VIRTIO_CONSOLE: serial.reset(d); break;
    case DeviceKind.VIRTIO_9P: fs.reset(d); break;
    case DeviceKind.VIRTIO_VSOCK: vsock.reset(d); break;
    case DeviceKind.VIRTIO_NET: net.reset(d); break;
    case DeviceKind.VIRTIO_BALLOON: balloon.reset(d); break;
    case DeviceKind.VIRTIO_PMEM: pmem.reset(d); break;
    case DeviceKind.VIRTIO_CUSTOM: custom.reset(d); break;
    default: break;
  }
}

/** The driver stopped a queue: chains of it that the device holds are no longer its own. */
export function queueStopped(d: VirtioDevice, queue: u32): void {
  if (d.kind == <u32>DeviceKind.VIRTIO_BLK) abandonHeld(d, queue);
  if (d.kind == <u32>DeviceKind.VIRTIO_9P) forgetHeld(d);
  if (d.kind == <u32>DeviceKind.VIRTIO_PMEM) forgetHeld(d);
  if (d.kind == <u32>DeviceKind.VIRTIO_BALLOON) balloon.queueStopped(d, queue);
  if (d.kind == <u32>DeviceKind.VIRTIO_CUSTOM) abandonHeld(d, queue);
}

/** True if chains of `queue` are served as they come; false if they are room for input, taken when there is some. */
export function servedAtKick(d: VirtioDevice, queue: u32): bool {
  if (d.kind == <u32>DeviceKind.VIRTIO_VSOCK) return vsock.servedAtKick(queue);
  if (d.kind == <u32>DeviceKind.VIRTIO_NET) return net.servedAtKick(d, queue);
  if (d.kind == <u32>DeviceKind.VIRTIO_CUSTOM) return custom.servedAtKick(d, queue);
  return d.kind != <u32>DeviceKind.VIRTIO_CONSOLE || (queue & 1) != 0;
}

/**
 * May the interrupt for served chains of `queue` wait until the slice ends? A console driver
 * spins until its output is taken, which it was at the kick: by then it has seen that,
 * and says through the event index that it wants no interrupt any more. A disk's driver
 * may go on to submit more. `completed`: there is something to tell.
 */
export function mayOwe(d: VirtioDevice, queue: u32, completed: bool): bool {
  if (d.kind == <u32>DeviceKind.VIRTIO_BLK) return completed && blk.mayOwe(d);
  if (d.kind == <u32>DeviceKind.VIRTIO_NET) return net.mayOwe(d, queue);
  return d.kind == <u32>DeviceKind.VIRTIO_CONSOLE && (queue & 1) != 0;
}

/** Are the interrupts that mayOwe() let wait to go on waiting when the slice ends? */
export function owesLater(d: VirtioDevice): bool {
  return d.kind == <u32>DeviceKind.VIRTIO_BLK && blk.owesLater(d);
}

/** The interrupts that mayOwe() let wait do so no longer. */
export function owedSent(d: VirtioDevice): void {
  if (d.kind == <u32>DeviceKind.VIRTIO_BLK) blk.owedSent(d);
}

/** Room for input was added to `queue`. */
export function roomAdded(d: VirtioDevice, queue: u32): void {
  if (d.kind == <u32>DeviceKind.VIRTIO_CONSOLE) serial.roomAdded(d, queue);
  if (d.kind == <u32>DeviceKind.VIRTIO_VSOCK) vsock.roomAdded(d, queue);
  if (d.kind == <u32>DeviceKind.VIRTIO_NET) netRoomAdded(d, queue);
  if (d.kind == <u32>DeviceKind.VIRTIO_CUSTOM) custom.roomAdded(d, queue);
}

/** What a device's requests count against; DeviceSlot.COUNT: nothing. */
function budgetSlot(d: VirtioDevice): u32 {
  switch (d.kind) {
    case DeviceKind.VIRTIO_BLK: return DeviceSlot.DISK + min<u32>(d.backend, DeviceSlot.DISKS - 1);
    case DeviceKind.VIRTIO_NET: return DeviceSlot.NET + min<u32>(d.backend, DeviceSlot.NETS - 1);
    case DeviceKind.VIRTIO_CONSOLE: return DeviceSlot.CONSOLE;
    default: return DeviceSlot.COUNT;
  }
}

/** A request was taken, which moves so many bytes. */
export function countServed(d: VirtioDevice, bytes: u64): void {
  const slot = budgetSlot(d);
  if (slot != <u32>DeviceSlot.COUNT) served(slot, bytes);
}

/** A request has to wait. */
export function countHeld(d: VirtioDevice): void {
  const slot = budgetSlot(d);
  if (slot != <u32>DeviceSlot.COUNT) noteHeld(slot);
}

/** False while the device can take no more chains, or has no budget for one. */
export function canServe(d: VirtioDevice): bool {
  const slot = budgetSlot(d);
  if (slot != <u32>DeviceSlot.COUNT && !mayServe(slot)) return false;
  switch (d.kind) {
    case DeviceKind.VIRTIO_BLK:
    case DeviceKind.VIRTIO_9P:
    case DeviceKind.VIRTIO_PMEM:
    case DeviceKind.VIRTIO_CUSTOM: return canHold(d);
    default: return true;
  }
}

/** Does what the popped chain asks. Bytes written to its writable stream, or Served. */
export function serveChain(d: VirtioDevice, queue: u32): i64 {
  switch (d.kind) {
    case DeviceKind.VIRTIO_BLK: return blk.serve(d, queue);
    case DeviceKind.VIRTIO_CONSOLE: return serial.serve(d, queue);
    case DeviceKind.VIRTIO_RNG: return rng.serve(d);
    case DeviceKind.VIRTIO_9P: return fs.serve(d);
    case DeviceKind.VIRTIO_VSOCK: return vsock.serve(d);
    case DeviceKind.VIRTIO_NET: return net.serve(d, queue);
    case DeviceKind.VIRTIO_BALLOON: return balloon.serve(d, queue);
    case DeviceKind.VIRTIO_PMEM: return pmem.serve(d);
    case DeviceKind.VIRTIO_MEM: return mem.serve(d);
    case DeviceKind.VIRTIO_RTC: return rtc.serve(d);
    case DeviceKind.VIRTIO_CUSTOM: return custom.serve(d, queue);
    default: return Served.BROKEN;
  }
}

export function validateKind(d: VirtioDevice): bool {
  switch (d.kind) {
    case DeviceKind.VIRTIO_BLK: return blk.validate(d);
    case DeviceKind.VIRTIO_CONSOLE: return serial.validate(d);
    case DeviceKind.VIRTIO_RNG: return true;
    case DeviceKind.VIRTIO_9P: return fs.validate(d);
    case DeviceKind.VIRTIO_VSOCK: return vsock.validate(d);
    case DeviceKind.VIRTIO_NET: return net.validate(d);
    case DeviceKind.VIRTIO_BALLOON: return balloon.validate(d);
    case DeviceKind.VIRTIO_PMEM: return pmem.validate(d);
    case DeviceKind.VIRTIO_MEM: return mem.validate(d);
    case DeviceKind.VIRTIO_RTC: return true;
    case DeviceKind.VIRTIO_CUSTOM: return custom.validate(d);
    default: return false;
  }
}

/** After a restore: asks the host again for what it had not answered. */
export function resumeKind(d: VirtioDevice): void {
  if (d.kind == <u32>DeviceKind.VIRTIO_BLK) blk.resume(d);
  if (d.kind == <u32>DeviceKind.VIRTIO_9P) fs.resume(d);
  if (d.kind == <u32>DeviceKind.VIRTIO_VSOCK) vsock.resume(d);
  if (d.kind == <u32>DeviceKind.VIRTIO_PMEM) pmem.resume(d);
  if (d.kind == <u32>DeviceKind.VIRTIO_CUSTOM) custom.resume(d);
}
