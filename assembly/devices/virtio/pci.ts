// The PCI transport (virtio 1.2, 4.1): a function's vendor capabilities say where in its
// BARs the structures lie, one page each in BAR 4:
//
//   0x0000  common configuration    0x2000  device configuration
//   0x1000  ISR status              0x3000  notifications, 4 bytes a queue
//
// The fifth capability is a window through which a driver that cannot map BARs reaches
// them from configuration space; pci/config.ts keeps it, and its accesses arrive here
// like any other. BAR 1 is the MSI-X table, which the bus serves (pci/msix.ts); which
// vector a queue or a configuration change raises is in device.ts.
import { Map } from "../../abi/memory-map";
import { VirtioInterrupt, VirtioMagic, VirtioPciBar, VirtioPciCap, VirtioPciCommon } from "../../abi/virtio";
import { setConfigWindow } from "../pci/config";
import { CapabilityId, addBar, addCapability, addFunction, configSet8, configSet32, configWritable } from "../pci/function";
import { addMsix } from "../pci/msix";
import {
  Ring, enableQueue, queueSelected, readConfig, readDriverFeatures, readFeatures, readQueueAddress, resetSelectedQueue, selectedQueue,
  writeConfig, writeDriverFeatures, writeQueueAddress, writeQueueSize, writeStatus,
} from "./control";
import { VIRTIO_DEVICES, VirtioDevice, deviceAt, updateInterrupt } from "./device";
import { configSize, deviceId, pciClass, queuesOf, virtioId } from "./kinds";
import { notifyQueue } from "./service";

const INTA: u32 = 1;
const CAP_LENGTH: u32 = 16;
const NOTIFY_CAP_LENGTH: u32 = 20;
const PCI_CFG_CAP_LENGTH: u32 = 20;

/** Puts the function of device `instance` on the bus. */
export function addVirtioFunction(d: VirtioDevice, instance: u32): void {
  const slot = d.slot;
  const id = deviceId(d);
  addFunction(
    slot, d.kind, instance, VirtioMagic.PCI_VENDOR_ID, VirtioMagic.PCI_DEVICE_ID + id,
    pciClass(d.kind), 1, VirtioMagic.PCI_VENDOR_ID, VirtioMagic.PCI_SUBSYSTEM_ID, INTA,
  );
  addBar(slot, VirtioPciBar.MSIX, VirtioPciBar.MSIX_SIZE, false);
  addBar(slot, VirtioPciBar.REGISTERS, VirtioPciBar.REGISTERS_SIZE, true);
  addMsix(slot, VirtioPciBar.MSIX, VirtioPciBar.MSIX_TABLE, VirtioPciBar.MSIX_PBA, vectors(d));
  addStructure(slot, VirtioPciCap.COMMON, CAP_LENGTH, VirtioPciBar.COMMON, VirtioPciCommon.SIZE);
  addStructure(slot, VirtioPciCap.ISR, CAP_LENGTH, VirtioPciBar.ISR, 1);
  const config = configSize(d);
  if (config != 0) addStructure(slot, VirtioPciCap.DEVICE, CAP_LENGTH, VirtioPciBar.DEVICE, config);
  const notify = addStructure(
    slot, VirtioPciCap.NOTIFY, NOTIFY_CAP_LENGTH, VirtioPciBar.NOTIFY, queuesOf(d) * VirtioPciBar.NOTIFY_MULTIPLIER,
  );
  configSet32(slot, notify + 16, VirtioPciBar.NOTIFY_MULTIPLIER);
  const window = addStructure(slot, VirtioPciCap.PCI_CFG, PCI_CFG_CAP_LENGTH, 0, 0);
  configSet8(slot, window + 4, 0);
  configWritable(slot, window + 4, 0xff);
  configWritable(slot, window + 8, 0xffff_ffff);
  configWritable(slot, window + 12, 0xffff_ffff);
  setConfigWindow(slot, window);
}

function addStructure(slot: u32, type: VirtioPciCap, capLength: u32, offset: u32, length: u32): u32 {
  const cap = addCapability(slot, CapabilityId.VENDOR, capLength);
  configSet8(slot, cap + 2, capLength);
  configSet8(slot, cap + 3, type);
  configSet8(slot, cap + 4, VirtioPciBar.REGISTERS);
  configSet32(slot, cap + 8, offset);
  configSet32(slot, cap + 12, length);
  return cap;
}

/** A vector a queue and one for configuration changes, as far as the table reaches. */
function vectors(d: VirtioDevice): u32 {
  return min(queuesOf(d) + 1, <u32>VirtioPciBar.MSIX_VECTORS);
}

/** True if `instance` names a device on PCI. */
function onBus(instance: u32): bool {
  return instance >= <u32>Map.VIRTIO_SLOTS && instance < VIRTIO_DEVICES && virtioId(deviceAt(instance).kind) != 0;
}

export function virtioPciRead(instance: u32, bar: u32, offset: u32, size: u32): u64 {
  if (!onBus(instance)) return 0;
  const d = deviceAt(instance);
  if (bar != <u32>VirtioPciBar.REGISTERS) return 0;
  const within = offset & 0xfff;
  switch (offset >> 12) {
    case VirtioPciBar.COMMON >> 12: return readCommon(d, within) & mask(size);
    case VirtioPciBar.ISR >> 12: return within == 0 ? readIsr(d) : 0;
    case VirtioPciBar.DEVICE >> 12: return readConfig(d, within, size);
    default: return 0;
  }
}

export function virtioPciWrite(instance: u32, bar: u32, offset: u32, size: u32, value: u64): void {
  if (!onBus(instance)) return;
  const d = deviceAt(instance);
  if (bar != <u32>VirtioPciBar.REGISTERS) return;
  const within = offset & 0xfff;
  switch (offset >> 12) {
    case VirtioPciBar.COMMON >> 12: {
      if (size == 8) {
        writeCommon(d, within, <u32>value);
        writeCommon(d, within + 4, <u32>(value >> 32));
      } else {
        writeCommon(d, within, <u32>(value & mask(size)));
      }
      break;
    }
    case VirtioPciBar.DEVICE >> 12: writeConfig(d, within, size, value); break;
    case VirtioPciBar.NOTIFY >> 12: notifyQueue(d, within / VirtioPciBar.NOTIFY_MULTIPLIER); break;
    default: d.strays++; break;
  }
}

function mask(size: u32): u64 {
  return size >= 8 ? ~0 : ((<u64>1) << (size << 3)) - 1;
}

/** Reading the interrupt status takes it back, and the wire with it. */
function readIsr(d: VirtioDevice): u32 {
  const status = d.interruptStatus & (VirtioInterrupt.USED_BUFFER | VirtioInterrupt.CONFIGURATION);
  d.interruptStatus = 0;
  updateInterrupt(d);
  return status;
}

function readCommon(d: VirtioDevice, offset: u32): u32 {
  switch (offset) {
    case VirtioPciCommon.DEVICE_FEATURE_SELECT: return d.deviceFeaturesSel;
    case VirtioPciCommon.DEVICE_FEATURE: return readFeatures(d, d.deviceFeaturesSel);
    case VirtioPciCommon.DRIVER_FEATURE_SELECT: return d.driverFeaturesSel;
    case VirtioPciCommon.DRIVER_FEATURE: return readDriverFeatures(d, d.driverFeaturesSel);
    case VirtioPciCommon.CONFIG_MSIX_VECTOR: return d.configVector;
    case VirtioPciCommon.NUM_QUEUES: return queuesOf(d);
    case VirtioPciCommon.DEVICE_STATUS: return d.status;
    case VirtioPciCommon.CONFIG_GENERATION: return d.configGeneration;
    case VirtioPciCommon.QUEUE_SELECT: return d.queueSel;
    case VirtioPciCommon.QUEUE_SIZE: return queueSelected(d) ? selectedQueue(d).size : 0;
    case VirtioPciCommon.QUEUE_MSIX_VECTOR: return queueSelected(d) ? <u32>selectedQueue(d).vector : <u32>VirtioMagic.NO_VECTOR;
    case VirtioPciCommon.QUEUE_ENABLE: return queueSelected(d) ? selectedQueue(d).ready : 0;
    case VirtioPciCommon.QUEUE_NOTIFY_OFF: return queueSelected(d) ? d.queueSel : 0;
    case VirtioPciCommon.QUEUE_DESC_LOW: return readQueueAddress(d, Ring.DESC, 0);
    case VirtioPciCommon.QUEUE_DESC_HIGH: return readQueueAddress(d, Ring.DESC, 1);
    case VirtioPciCommon.QUEUE_DRIVER_LOW: return readQueueAddress(d, Ring.DRIVER, 0);
    case VirtioPciCommon.QUEUE_DRIVER_HIGH: return readQueueAddress(d, Ring.DRIVER, 1);
    case VirtioPciCommon.QUEUE_DEVICE_LOW: return readQueueAddress(d, Ring.DEVICE, 0);
    case VirtioPciCommon.QUEUE_DEVICE_HIGH: return readQueueAddress(d, Ring.DEVICE, 1);
    // The driver may write any number that we give it here; the address says which queue it is (4.1.5.2).
    case VirtioPciCommon.QUEUE_NOTIFY_DATA: return queueSelected(d) ? d.queueSel : 0;
    default: return 0;
  }
}

function writeCommon(d: VirtioDevice, offset: u32, value: u32): void {
  switch (offset) {
    case VirtioPciCommon.DEVICE_FEATURE_SELECT: d.deviceFeaturesSel = value; break;
    case VirtioPciCommon.DRIVER_FEATURE_SELECT: d.driverFeaturesSel = value; break;
    case VirtioPciCommon.DRIVER_FEATURE: writeDriverFeatures(d, d.driverFeaturesSel, value); break;
    case VirtioPciCommon.CONFIG_MSIX_VECTOR: d.configVector = vector(d, value); break;
    case VirtioPciCommon.DEVICE_STATUS: writeStatus(d, value); break;
    case VirtioPciCommon.QUEUE_SELECT: d.queueSel = value & 0xffff; break;
    case VirtioPciCommon.QUEUE_SIZE: writeQueueSize(d, value & 0xffff); break;
    case VirtioPciCommon.QUEUE_MSIX_VECTOR: {
      if (queueSelected(d)) selectedQueue(d).vector = <u16>vector(d, value);
      break;
    }
    case VirtioPciCommon.QUEUE_ENABLE: {
      // Only one may be written (4.1.4.3.2); a queue stops with the device.
      if ((value & 0xffff) == 1) enableQueue(d);
      else d.strays++;
      break;
    }
    case VirtioPciCommon.QUEUE_RESET: {
      if ((value & 0xffff) == 1) resetSelectedQueue(d);
      else d.strays++;
      break;
    }
    case VirtioPciCommon.QUEUE_DESC_LOW: writeQueueAddress(d, Ring.DESC, 0, value); break;
    case VirtioPciCommon.QUEUE_DESC_HIGH: writeQueueAddress(d, Ring.DESC, 1, value); break;
    case VirtioPciCommon.QUEUE_DRIVER_LOW: writeQueueAddress(d, Ring.DRIVER, 0, value); break;
    case VirtioPciCommon.QUEUE_DRIVER_HIGH: writeQueueAddress(d, Ring.DRIVER, 1, value); break;
    case VirtioPciCommon.QUEUE_DEVICE_LOW: writeQueueAddress(d, Ring.DEVICE, 0, value); break;
    case VirtioPciCommon.QUEUE_DEVICE_HIGH: writeQueueAddress(d, Ring.DEVICE, 1, value); break;
    default: d.strays++; break;
  }
}

/** A vector beyond the table cannot be mapped, and reads back as none (4.1.5.1.2). */
function vector(d: VirtioDevice, value: u32): u32 {
  value &= 0xffff;
  return value < vectors(d) ? value : <u32>VirtioMagic.NO_VECTOR;
}
