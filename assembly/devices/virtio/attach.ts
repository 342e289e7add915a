// Putting devices behind the transports, and what happens to all of them at once: power
// on, reset of the machine, restore.
import { Dev, DeviceKind } from "../../abi/device";
import { Map } from "../../abi/memory-map";
import { VirtioMagic, VirtioStatus } from "../../abi/virtio";
import { functionAt } from "../pci/function";
import { resetDevice } from "./control";
import { QUEUES_MAX, VIRTIO_DEVICES, VirtioDevice, deviceAt, nextEpoch, onPci, queueAt } from "./device";
import { attached, deviceFeatures, queueMax, queuesOf, resumeKind, validateKind, virtioId } from "./kinds";
import { addVirtioFunction } from "./pci";
import { QueueFeature, progressSound, queueSound } from "./queue";

/** Takes every device away; before devices are attached. */
export function virtioInit(): void {
  for (let index: u32 = 0; index < VIRTIO_DEVICES; index++) {
    const d = deviceAt(index);
    clear(d);
    nextEpoch(d);
  }
}

function clear(d: VirtioDevice): void {
  const epoch = d.epoch;
  memory.fill(changetype<usize>(d), 0, <usize>Dev.VIRTIO_SIZE);
  d.epoch = epoch;
}

/**
 * Puts a device into mmio slot 0 to 7. `backend` is the disk's number for the host, `capacityBytes` its size (both
 * meaningless to other kinds), `flags` are VirtioAttach, a number of queues among them. False if the slot is taken or there is no such device.
 */
export function attachVirtioMmio(slot: u32, kind: DeviceKind, backend: u32, capacityBytes: f64, flags: u32): bool {
  if (slot >= <u32>Map.VIRTIO_SLOTS) return false;
  return attach(slot, 0, kind, backend, capacityBytes, flags);
}

/** The same as a PCI function: `instance` is 8 to 31, `pciSlot` an empty slot. After pciInit(), before pciReset(). */
export function attachVirtioPci(pciSlot: u32, instance: u32, kind: DeviceKind, backend: u32, capacityBytes: f64, flags: u32): bool {
  if (instance < <u32>Map.VIRTIO_SLOTS || instance >= VIRTIO_DEVICES || pciSlot == 0 || pciSlot >= 32) return false;
  if (functionAt(pciSlot).kind != <u32>DeviceKind.NONE) return false;
  return attach(instance, pciSlot, kind, backend, capacityBytes, flags);
}

function attach(index: u32, pciSlot: u32, kind: DeviceKind, backend: u32, capacityBytes: f64, flags: u32): bool {
  const d = deviceAt(index);
  if (virtioId(kind) == 0 || d.kind != <u32>DeviceKind.NONE) return false;
  clear(d);
  d.kind = kind;
  d.backend = backend;
  d.flags = flags;
  d.slot = pciSlot;
  attached(d, capacityBytes);
  if (onPci(d)) addVirtioFunction(d, index);
  resetDevice(d);
  return true;
}

/** Reset of the machine: devices stay attached, what the guest did to them goes. */
export function virtioReset(): void {
  for (let index: u32 = 0; index < VIRTIO_DEVICES; index++) {
    const d = deviceAt(index);
    if (d.kind != <u32>DeviceKind.NONE) resetDevice(d);
  }
}

/** Kind of the device in an mmio slot or at a PCI instance, for the exit counters. */
export function virtioKind(index: u32): u32 {
  return index < VIRTIO_DEVICES ? deviceAt(index).kind : <u32>DeviceKind.NONE;
}

/** Times drivers broke the rules, accesses that meant nothing: for the host's diagnostics. */
export function virtioMisuses(index: u32): u32 {
  return index < VIRTIO_DEVICES ? deviceAt(index).misuses : 0;
}

export function virtioStrays(index: u32): u32 {
  return index < VIRTIO_DEVICES ? deviceAt(index).strays : 0;
}

/** After a restore: everything that is used without a check of its own is in range. Changes nothing. */
export function virtioValidate(): bool {
  for (let index: u32 = 0; index < VIRTIO_DEVICES; index++) {
    const d = deviceAt(index);
    if (d.kind != <u32>DeviceKind.NONE && !validateDevice(d)) return false;
  }
  return true;
}

function validateDevice(d: VirtioDevice): bool {
  const count = queuesOf(d);
  if (count == 0 || count > QUEUES_MAX) return false;
  if (d.slot >= 32 || (onPci(d) && functionAt(d.slot).kind != d.kind)) return false;
  if (d.status > 0xff || d.interruptStatus > 3 || d.configGeneration > 0xff) return false;
  if (d.configVector > <u32>VirtioMagic.NO_VECTOR || d.epoch > 0x7fff || (d.pending | d.owed) >>> count != 0) return false;
  const agreed = (d.status & <u32>VirtioStatus.FEATURES_OK) != 0;
  if (agreed && (d.driverFeatures & ~deviceFeatures(d)) != 0) return false;
  for (let i: u32 = 0; i < count; i++) {
    const q = queueAt(d, i);
    if (q.ready > 1 || q.size > queueMax(d) || q.features > <u32>QueueFeature.ALL) return false;
    if (q.ready != 0 && !(queueSound(q) && progressSound(q))) return false;
    if (q.ready == 0 && ((d.pending | d.owed) & (1 << i)) != 0) return false;
  }
  return validateKind(d);
}

/** After virtioValidate(), once backends are there: requests that the host had not answered are made again. */
export function virtioResume(): void {
  for (let index: u32 = 0; index < VIRTIO_DEVICES; index++) {
    const d = deviceAt(index);
    if (d.kind != <u32>DeviceKind.NONE) resumeKind(d);
  }
}
