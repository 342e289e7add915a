// The mmio transport, version 2 (virtio 1.2, 4.2): registers of a slot, then from 0x100
// the device's configuration space. An empty slot has the magic and DeviceID 0, which a
// driver passes over. Registers are dwords; only configuration space takes other widths.
//
// Left out: shared memory regions (their length reads as all ones: none), and the legacy
// interface.
import { Map } from "../../abi/memory-map";
import { VirtioFeature, VirtioInterrupt, VirtioMagic, VirtioMmio } from "../../abi/virtio";
import {
  Ring, disableQueue, enableQueue, queueSelected, readConfig, readFeatures, resetSelectedQueue, selectedQueue,
  writeConfig, writeDriverFeatures, writeQueueAddress, writeQueueSize, writeStatus,
} from "./control";
import { VirtioDevice, deviceAt, negotiated, updateInterrupt } from "./device";
import { deviceId, queueMax, virtioId } from "./kinds";
import { notifyQueue } from "./service";

export function virtioMmioRead(slot: u32, offset: u32, size: u32): u64 {
  if (slot >= <u32>Map.VIRTIO_SLOTS) return 0;
  const d = deviceAt(slot);
  if (offset >= <u32>VirtioMmio.CONFIG) return readConfig(d, offset - VirtioMmio.CONFIG, size);
  if (size != 4) {
    d.strays++;
    return 0;
  }
  return readRegister(d, offset);
}

function readRegister(d: VirtioDevice, offset: u32): u32 {
  switch (offset) {
    case VirtioMmio.MAGIC_VALUE: return VirtioMagic.MAGIC;
    case VirtioMmio.VERSION: return VirtioMagic.VERSION;
    case VirtioMmio.DEVICE_ID: return deviceId(d);
    case VirtioMmio.VENDOR_ID: return VirtioMagic.VENDOR_ID;
    case VirtioMmio.DEVICE_FEATURES: return readFeatures(d, d.deviceFeaturesSel);
    case VirtioMmio.QUEUE_NUM_MAX: return queueSelected(d) ? queueMax(d) : 0;
    case VirtioMmio.QUEUE_READY: return queueSelected(d) ? selectedQueue(d).ready : 0;
    case VirtioMmio.INTERRUPT_STATUS: return d.interruptStatus;
    case VirtioMmio.STATUS: return d.status;
    case VirtioMmio.SHM_LEN_LOW:
    case VirtioMmio.SHM_LEN_HIGH:
    case VirtioMmio.SHM_BASE_LOW:
    case VirtioMmio.SHM_BASE_HIGH: return ~0;
    case VirtioMmio.CONFIG_GENERATION: return d.configGeneration;
    default: return 0; // the rest is write-only or does not exist
  }
}

export function virtioMmioWrite(slot: u32, offset: u32, size: u32, value: u64): void {
  if (slot >= <u32>Map.VIRTIO_SLOTS) return;
  const d = deviceAt(slot);
  if (virtioId(d.kind) == 0) return;
  if (offset >= <u32>VirtioMmio.CONFIG) writeConfig(d, offset - VirtioMmio.CONFIG, size, value);
  else if (size == 4) writeRegister(d, offset, <u32>value);
  else d.strays++;
}

function writeRegister(d: VirtioDevice, offset: u32, value: u32): void {
  switch (offset) {
    case VirtioMmio.DEVICE_FEATURES_SEL: d.deviceFeaturesSel = value; break;
    case VirtioMmio.DRIVER_FEATURES: writeDriverFeatures(d, d.driverFeaturesSel, value); break;
    case VirtioMmio.DRIVER_FEATURES_SEL: d.driverFeaturesSel = value; break;
    case VirtioMmio.QUEUE_SEL: d.queueSel = value; break;
    case VirtioMmio.QUEUE_NUM: writeQueueSize(d, value); break;
    case VirtioMmio.QUEUE_READY: {
      if ((value & 1) != 0) enableQueue(d);
      else disableQueue(d);
      break;
    }
    case VirtioMmio.QUEUE_NOTIFY: {
      // Notification data (2.9): the queue is the lower half. Where its ring stands we see there.
      notifyQueue(d, negotiated(d, VirtioFeature.NOTIFICATION_DATA) ? value & 0xffff : value);
      break;
    }
    case VirtioMmio.INTERRUPT_ACK: {
      d.interruptStatus &= ~(value & (VirtioInterrupt.USED_BUFFER | VirtioInterrupt.CONFIGURATION));
      updateInterrupt(d);
      break;
    }
    case VirtioMmio.STATUS: writeStatus(d, value); break;
    case VirtioMmio.QUEUE_DESC_LOW: writeQueueAddress(d, Ring.DESC, 0, value); break;
    case VirtioMmio.QUEUE_DESC_HIGH: writeQueueAddress(d, Ring.DESC, 1, value); break;
    case VirtioMmio.QUEUE_DRIVER_LOW: writeQueueAddress(d, Ring.DRIVER, 0, value); break;
    case VirtioMmio.QUEUE_DRIVER_HIGH: writeQueueAddress(d, Ring.DRIVER, 1, value); break;
    case VirtioMmio.QUEUE_DEVICE_LOW: writeQueueAddress(d, Ring.DEVICE, 0, value); break;
    case VirtioMmio.QUEUE_DEVICE_HIGH: writeQueueAddress(d, Ring.DEVICE, 1, value); break;
    case VirtioMmio.QUEUE_RESET: {
      if (value == 1) resetSelectedQueue(d);
      else d.strays++;
      break;
    }
    case VirtioMmio.SHM_SEL: break;
    default: d.strays++; break;
  }
}
