// What a driver does to a device through either transport: negotiate features, run the
// status machine, set queues up, access configuration space (virtio 1.2, 2.1, 2.2, 2.5,
// 3.1, 2.6). The transports only translate registers into these calls.
import { VirtioFeature, VirtioStatus } from "../../abi/virtio";
import { VirtioDevice, configAt, needsReset, negotiated, queueAt, updateInterrupt } from "./device";
import { configSize, configWritten, deviceFeatures, featuresAgreed, queueMax, queueStopped, queuesOf, resetKind } from "./kinds";
import { QueueFeature, VirtQueue, queueSound, resetQueue, startQueue } from "./queue";
import { servePending } from "./service";

/** Word `sel` of the features on offer. */
export function readFeatures(d: VirtioDevice, sel: u32): u32 {
  return sel < 2 ? <u32>(deviceFeatures(d) >> (sel << 5)) : 0;
}

/** Word `sel` of the features that the driver has asked for. */
export function readDriverFeatures(d: VirtioDevice, sel: u32): u32 {
  return sel < 2 ? <u32>(d.driverFeatures >> (sel << 5)) : 0;
}

/** The driver asks for word `sel`; too late once features are agreed. A bit beyond 63 can only be one not on offer. */
export function writeDriverFeatures(d: VirtioDevice, sel: u32, value: u32): void {
  if (sel >= 2 || (d.status & <u32>VirtioStatus.FEATURES_OK) != 0) {
    if (sel >= 2 && value != 0) d.strays++;
    return;
  }
  const shift = sel << 5;
  d.driverFeatures = (d.driverFeatures & ~(<u64>0xffff_ffff << shift)) | (<u64>value << shift);
}

/** Bits are only ever added; zero resets. FEATURES_OK sticks only if we can do what was asked for. */
export function writeStatus(d: VirtioDevice, value: u32): void {
  value &= 0xff;
  if (value == 0) {
    resetDevice(d);
    return;
  }
  const settable: u32 = VirtioStatus.ACKNOWLEDGE | VirtioStatus.DRIVER | VirtioStatus.FAILED;
  d.status |= value & settable;
  if ((value & ~d.status & <u32>VirtioStatus.FEATURES_OK) != 0) agreeFeatures(d);
  if ((value & ~d.status & <u32>VirtioStatus.DRIVER_OK) != 0) {
    if ((d.status & <u32>VirtioStatus.FEATURES_OK) == 0) {
      d.strays++;
      return;
    }
    d.status |= VirtioStatus.DRIVER_OK;
    servePending(d);
  }
}

function agreeFeatures(d: VirtioDevice): void {
  if ((d.driverFeatures & ~deviceFeatures(d)) != 0) return;
  if (((d.driverFeatures >> VirtioFeature.VERSION_1) & 1) == 0) return;
  d.status |= VirtioStatus.FEATURES_OK;
  const bits: u32 =
    (negotiated(d, VirtioFeature.INDIRECT_DESC) ? QueueFeature.INDIRECT : 0) |
    (negotiated(d, VirtioFeature.EVENT_IDX) ? QueueFeature.EVENT_IDX : 0) |
    (negotiated(d, VirtioFeature.RING_PACKED) ? QueueFeature.PACKED : 0);
  const count = queuesOf(d);
  for (let i: u32 = 0; i < count; i++) queueAt(d, i).features = bits;
  featuresAgreed(d);
}

/** Back to how the device came up; host settings and counters stay. */
export function resetDevice(d: VirtioDevice): void {
  d.driverFeatures = 0;
  d.deviceFeaturesSel = 0;
  d.driverFeaturesSel = 0;
  d.queueSel = 0;
  d.status = 0;
  d.interruptStatus = 0;
  d.configGeneration = 0;
  d.configVector = 0xffff;
  d.pending = 0;
  d.owed = 0;
  d.work = 0;
  const count = queuesOf(d);
  for (let i: u32 = 0; i < count; i++) resetQueue(queueAt(d, i), queueMax(d), 0);
  resetKind(d);
  updateInterrupt(d);
}

/** True if the queue selector names a queue. */
export function queueSelected(d: VirtioDevice): bool {
  return d.queueSel < queuesOf(d);
}

/** The selected queue; only after queueSelected(). */
export function selectedQueue(d: VirtioDevice): VirtQueue {
  return queueAt(d, d.queueSel);
}

/** The selected queue if the driver may still set it up, else null and a stray counted. */
function queueInSetup(d: VirtioDevice): VirtQueue | null {
  if (queueSelected(d)) {
    const q = selectedQueue(d);
    if (q.ready == 0) return q;
  }
  d.strays++;
  return null;
}

export function writeQueueSize(d: VirtioDevice, value: u32): void {
  const q = queueInSetup(d);
  if (q == null) return;
  // Whatever is no size at all becomes 0, which enabling refuses. A packed ring may have any (2.8.10.1).
  const sound = value != 0 && value <= queueMax(d) && (negotiated(d, VirtioFeature.RING_PACKED) || (value & (value - 1)) == 0);
  q.size = sound ? value : 0;
}

/** Parts of a queue's ring. */
export const enum Ring {
  DESC = 0,
  DRIVER = 1,
  DEVICE = 2,
}

/** Sets the low (0) or high (1) half of the address of a part of the selected queue. */
export function writeQueueAddress(d: VirtioDevice, part: Ring, half: u32, value: u32): void {
  const q = queueInSetup(d);
  if (q == null) return;
  switch (<u32>part) {
    case Ring.DESC: q.desc = replaceHalf(q.desc, half, value); break;
    case Ring.DRIVER: q.avail = replaceHalf(q.avail, half, value); break;
    default: q.used = replaceHalf(q.used, half, value); break;
  }
}

export function readQueueAddress(d: VirtioDevice, part: Ring, half: u32): u32 {
  if (!queueSelected(d)) return 0;
  const q = selectedQueue(d);
  const address = part == Ring.DESC ? q.desc : part == Ring.DRIVER ? q.avail : q.used;
  return <u32>(address >> (half << 5));
}

function replaceHalf(address: u64, half: u32, value: u32): u64 {
  const shift = half << 5;
  return (address & ~(<u64>0xffff_ffff << shift)) | (<u64>value << shift);
}

/** Enables the selected queue. A ring that is not sound, or comes before features are agreed, is the driver's error. */
export function enableQueue(d: VirtioDevice): void {
  const q = queueInSetup(d);
  if (q == null) return;
  if ((d.status & <u32>VirtioStatus.FEATURES_OK) == 0 || !queueSound(q)) {
    needsReset(d);
    return;
  }
  startQueue(q);
}

/** Stops the selected queue: the mmio transport allows it, PCI does not. */
export function disableQueue(d: VirtioDevice): void {
  if (!queueSelected(d)) return;
  const q = selectedQueue(d);
  if (q.ready == 0) return;
  q.ready = 0;
  d.pending &= ~(1 << d.queueSel);
  d.owed &= ~(1 << d.queueSel);
  queueStopped(d, d.queueSel);
}

/**
 * Resets the selected queue alone (2.6.1): chains that were taken and not given back are forgotten, and the driver
 * may set the queue up anew, of another size even. Done at once, so that no register ever shows it under way.
 */
export function resetSelectedQueue(d: VirtioDevice): void {
  if (!queueSelected(d) || !negotiated(d, VirtioFeature.RING_RESET)) {
    d.strays++;
    return;
  }
  disableQueue(d);
  const q = selectedQueue(d);
  resetQueue(q, queueMax(d), q.features);
}

export function readConfig(d: VirtioDevice, offset: u32, size: u32): u64 {
  const end = configSize(d);
  if (offset >= end || size > end - offset) return 0;
  const at = configAt(d) + offset;
  if (size == 1) return load<u8>(at);
  if (size == 2) return load<u16>(at);
  if (size == 4) return load<u32>(at);
  return load<u64>(at);
}

export function writeConfig(d: VirtioDevice, offset: u32, size: u32, value: u64): void {
  const end = configSize(d);
  if (offset >= end || size > end - offset) {
    d.strays++;
    return;
  }
  configWritten(d, offset, size, value);
}
