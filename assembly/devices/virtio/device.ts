// State that every virtio device has (virtio 1.2, 2.1 to 2.5), whatever it does and
// however it is reached, and the two things any part may have to do to it: interrupt the
// driver, and declare the driver in error.
//
// A device is 4 KiB of plain data at Dev.VIRTIO + index * 4 KiB. Indices 0 to 7 are the
// slots of the mmio transport, 8 to 31 are PCI functions.
//
//   +0x000  VirtioDevice
//   +0x080  queues, 64 bytes each
//   +0x500  configuration space, 64 bytes, as the driver reads it
//   +0x540  the device's own state
//   +0x7c0  Chain: the chain being served, of meaning only inside one call
import { Dev, DeviceKind } from "../../abi/device";
import { Irq, Map } from "../../abi/memory-map";
import { VirtioInterrupt, VirtioMagic, VirtioStatus } from "../../abi/virtio";
import { raiseIrq } from "../irqchip/raise";
import { busMaster } from "../pci/function";
import { setIntx } from "../pci/intx";
import { msixEnabled, raiseMsix } from "../pci/msix";
import { Chain } from "./chain";
import { VirtQueue, wantsInterrupt } from "./queue";

/** Devices there is room for, and queues in each. */
export const VIRTIO_DEVICES: u32 = 32;
export const QUEUES_MAX: u32 = 18;
/** Bytes of configuration space there is room for. */
export const CONFIG_MAX: u32 = 64;
/** Bytes of a device's own state. */
export const PRIVATE_MAX: u32 = 0x280;

const enum At {
  QUEUES = 0x080,
  QUEUE_SIZE = 0x40,
  CONFIG = 0x500,
  PRIVATE = 0x540,
  CHAIN = 0x7c0,
}

@unmanaged
export class VirtioDevice {
  /** DeviceKind; NONE where there is no device. */
  kind: u32;
  /** What the host calls the thing behind the device. */
  backend: u32;
  /** VirtioAttach flags. */
  flags: u32;
  /** PCI slot; of no meaning on mmio. */
  slot: u32;
  driverFeatures: u64;
  deviceFeaturesSel: u32;
  driverFeaturesSel: u32;
  queueSel: u32;
  status: u32;
  interruptStatus: u32;
  configGeneration: u32;
  configVector: u32;
  /** A bit a queue: notified, but not all served yet. */
  pending: u32;
  /** A bit a queue: served, but whether to interrupt is decided at the end of the slice. */
  owed: u32;
  /** Bytes moved in the present call to a device, what bounds a kick. */
  work: u64;
  /** Times the driver broke a rule, and accesses that meant nothing. For the host; a reset leaves them. */
  misuses: u32;
  strays: u32;
  /** Counts the times that requests under way at the host were given up, so that late answers are known as such. Outlives everything. */
  epoch: u32;
}

const EPOCH_MASK: u32 = 0x7fff;

/** What the host has not answered yet is no longer waited for. */
export function nextEpoch(d: VirtioDevice): void {
  d.epoch = (d.epoch + 1) & EPOCH_MASK;
}

/** Names request `entry` of this device to the host: [ 0 | epoch 15 | device 8 | entry 8 ]. */
export function hostTag(d: VirtioDevice, entry: u32): u32 {
  return ((d.epoch & EPOCH_MASK) << 16) | (deviceIndex(d) << 8) | entry;
}

// @ts-ignore: decorator
@inline
export function deviceAt(index: u32): VirtioDevice {
  return changetype<VirtioDevice>(<usize>Dev.VIRTIO + <usize>index * <usize>Dev.VIRTIO_SIZE);
}

// @ts-ignore: decorator
@inline
export function deviceIndex(d: VirtioDevice): u32 {
  return <u32>((changetype<usize>(d) - <usize>Dev.VIRTIO) / <usize>Dev.VIRTIO_SIZE);
}

// @ts-ignore: decorator
@inline
export function queueAt(d: VirtioDevice, queue: u32): VirtQueue {
  return changetype<VirtQueue>(changetype<usize>(d) + <usize>At.QUEUES + <usize>queue * <usize>At.QUEUE_SIZE);
}

// @ts-ignore: decorator
@inline
export function configAt(d: VirtioDevice): usize {
  return changetype<usize>(d) + <usize>At.CONFIG;
}

// @ts-ignore: decorator
@inline
export function privateAt(d: VirtioDevice): usize {
  return changetype<usize>(d) + <usize>At.PRIVATE;
}

// @ts-ignore: decorator
@inline
export function chainAt(d: VirtioDevice): Chain {
  return changetype<Chain>(changetype<usize>(d) + <usize>At.CHAIN);
}

// @ts-ignore: decorator
@inline
export function onPci(d: VirtioDevice): bool {
  return deviceIndex(d) >= <u32>Map.VIRTIO_SLOTS;
}

/** True if `bit` was offered, asked for and agreed. */
// @ts-ignore: decorator
@inline
export function negotiated(d: VirtioDevice, bit: u32): bool {
  return (d.status & <u32>VirtioStatus.FEATURES_OK) != 0 && ((d.driverFeatures >> bit) & 1) != 0;
}

/** True while the device may touch the driver's memory. */
export function running(d: VirtioDevice): bool {
  const state = d.status & (VirtioStatus.DRIVER_OK | VirtioStatus.DEVICE_NEEDS_RESET | VirtioStatus.FAILED);
  if (state != <u32>VirtioStatus.DRIVER_OK) return false;
  return !onPci(d) || busMaster(d.slot);
}

/** True if `queue` is enabled on a running device. */
export function queueLive(d: VirtioDevice, queue: u32): bool {
  return running(d) && queueAt(d, queue).ready != 0;
}

/** The interrupt wire follows the interrupt status. */
export function updateInterrupt(d: VirtioDevice): void {
  const level = d.interruptStatus != 0;
  if (onPci(d)) setIntx(d.slot, level);
  else raiseIrq(<u32>Irq.VIRTIO + deviceIndex(d), level);
}

/** True if the device's interrupts are messages, one vector a cause; else they share a wire, and the status says which it was. */
// @ts-ignore: decorator
@inline
function byMessage(d: VirtioDevice): bool {
  return onPci(d) && msixEnabled(d.slot);
}

function interrupt(d: VirtioDevice, cause: VirtioInterrupt): void {
  if ((d.interruptStatus & <u32>cause) != 0) return;
  d.interruptStatus |= cause;
  updateInterrupt(d);
}

function message(d: VirtioDevice, vector: u32): void {
  if (vector != <u32>VirtioMagic.NO_VECTOR) raiseMsix(d.slot, vector);
}

/** Tells the driver of what was pushed to a queue, if it wants to know. */
export function interruptForQueue(d: VirtioDevice, q: VirtQueue): void {
  if (!wantsInterrupt(q)) return;
  if (byMessage(d)) message(d, q.vector);
  else interrupt(d, VirtioInterrupt.USED_BUFFER);
}

/** The status shows a configuration change with messages too (4.1.4.5.1). */
function interruptForConfig(d: VirtioDevice): void {
  interrupt(d, VirtioInterrupt.CONFIGURATION);
  if (byMessage(d)) message(d, d.configVector);
}

/** The driver broke a rule: nothing goes on until it resets the device (2.1.2). */
export function needsReset(d: VirtioDevice): void {
  d.misuses++;
  if ((d.status & <u32>VirtioStatus.DEVICE_NEEDS_RESET) != 0) return;
  d.status |= VirtioStatus.DEVICE_NEEDS_RESET;
  if ((d.status & <u32>VirtioStatus.DRIVER_OK) != 0) interruptForConfig(d);
}

/** Configuration space changed by itself. */
export function configChanged(d: VirtioDevice): void {
  d.configGeneration = (d.configGeneration + 1) & 0xff;
  if (running(d)) interruptForConfig(d);
}

/** True if there is a device of `kind` at `index`. */
export function deviceIs(index: u32, kind: DeviceKind): bool {
  return index < VIRTIO_DEVICES && deviceAt(index).kind == <u32>kind;
}
