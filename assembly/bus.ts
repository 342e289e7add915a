// Physical address -> device. Every access that is not RAM comes through here once: it is
// counted (exits.ts), its width and alignment are checked, and the device gets an offset.
// Who may ask for which width is the device's business only where it differs by register.
//
// An access to nothing reads 0 and is counted as DeviceKind.UNMAPPED; the CPU asks
// busMapped first if it wants to raise an access fault. Inside the PCIe windows nothing
// reads all ones, as on a bus where no one answers.
import { DeviceKind } from "./abi/device";
import { ExitDirection } from "./abi/exit-counter";
import { BootMode, Machine } from "./abi/layout";
import { Map } from "./abi/memory-map";
import { VirtioId } from "./abi/virtio";
import { ahciRead, ahciWrite } from "./devices/block/ahci-registers";
import { nvmeLook, nvmeRead, nvmeWrite } from "./devices/block/nvme";
import { UARTS, uartRead, uartWrite } from "./devices/console/ns16550a";
import { e1000Read, e1000Write } from "./devices/net/e1000";
import { customDeviceRead, customDeviceWrite, customMapped } from "./devices/custom/custom";
import { hasAia } from "./devices/irqchip/aia";
import { aplicRead, aplicWrite, Domain } from "./devices/irqchip/aplic";
import { imsicWrite, inImsicPages, Level } from "./devices/irqchip/imsic";
import { plicRead, plicWrite } from "./devices/irqchip/plic";
import { configRead, configWindow, configWrite, ecamSlot, windowBar, windowLength, windowOffset } from "./devices/pci/config";
import { foundBar, foundOffset, foundSlot, pciLookup } from "./devices/pci/decode";
import { functionAt } from "./devices/pci/function";
import { msixRead, msixRegister, msixWrite } from "./devices/pci/msix";
import { finisherRead, finisherWrite } from "./devices/power/finisher";
import { rtcRead, rtcWrite } from "./devices/rtc/goldfish";
import { aclintRead, aclintWrite } from "./devices/timer/aclint";
import { virtioKind } from "./devices/virtio/attach";
import { virtioId } from "./devices/virtio/kinds";
import { virtioMmioRead, virtioMmioWrite } from "./devices/virtio/mmio";
import { virtioPciRead, virtioPciWrite } from "./devices/virtio/pci";
import { countBar, countExit } from "./exits";

// @ts-ignore: decorator
@inline
function within(pa: u32, base: u32, size: u32): bool {
  return pa - base < size;
}

// @ts-ignore: decorator
@inline
function inHighWindow(pa: u64): bool {
  return (pa >> 12) - <u64>Map.PCIE_MMIO64_PAGE < <u64>Map.PCIE_MMIO64_PAGES;
}

/** A naturally aligned access of 1, 2, 4 or 8 bytes. */
// @ts-ignore: decorator
@inline
function sound(pa: u64, size: u32): bool {
  return size != 0 && size <= 8 && (size & (size - 1)) == 0 && (<u32>pa & (size - 1)) == 0;
}

// @ts-ignore: decorator
@inline
function ones(size: u32): u64 {
  return ~(<u64>0) >> (64 - (size << 3));
}

/** True if some device answers at `pa`; RAM is not the bus's. */
export function busMapped(pa: u64): bool {
  if (pa >= 0x8000_0000) return inHighWindow(pa);
  const p = <u32>pa;
  return (
    p >= <u32>Map.PCIE_ECAM ||
    within(p, Map.UART, Map.UART_SIZE * UARTS) ||
    within(p, Map.VIRTIO, Map.VIRTIO_SLOT_SIZE * Map.VIRTIO_SLOTS) ||
    (hasAia() ? aiaMapped(p) : within(p, Map.PLIC, Map.PLIC_SIZE)) ||
    within(p, Map.ACLINT, Map.ACLINT_SIZE) ||
    within(p, Map.RTC, Map.RTC_SIZE) ||
    within(p, Map.FINISHER, Map.FINISHER_SIZE) ||
    within(p, Map.PCIE_PIO, Map.PCIE_PIO_SIZE) ||
    within(p, Map.MROM, Map.MROM_SIZE) ||
    isCustom(p)
  );
}

export function busRead(pa: u64, size: u32): u64 {
  if (pa >= 0x8000_0000) return inHighWindow(pa) ? barRead(pa, size) : unmappedRead(pa);
  const p = <u32>pa;
  if (p >= <u32>Map.PCIE_MMIO) return barRead(pa, size);
  if (p >= <u32>Map.PCIE_ECAM) return ecamRead(p - <u32>Map.PCIE_ECAM, size);
  if (within(p, Map.VIRTIO, Map.VIRTIO_SLOT_SIZE * Map.VIRTIO_SLOTS)) {
    const offset = (p - <u32>Map.VIRTIO) & (<u32>Map.VIRTIO_SLOT_SIZE - 1);
    const slot = (p - <u32>Map.VIRTIO) / <u32>Map.VIRTIO_SLOT_SIZE;
    countExit(slotKind(slot), slot, ExitDirection.READ, offset);
    return sound(pa, size) ? virtioMmioRead(slot, offset, size) : 0;
  }
  if (within(p, Map.UART, Map.UART_SIZE * UARTS)) {
    const port = (p - <u32>Map.UART) / <u32>Map.UART_SIZE;
    const offset = p & (<u32>Map.UART_SIZE - 1);
    countExit(DeviceKind.UART, port, ExitDirection.READ, offset);
    return sound(pa, size) ? uartRead(port, offset) : 0;
  }
  if (hasAia() && aiaMapped(p)) return aiaRead(p, size);
  if (!hasAia() && within(p, Map.PLIC, Map.PLIC_SIZE)) {
    countExit(DeviceKind.PLIC, 0, ExitDirection.READ, p - <u32>Map.PLIC);
    return size == 4 && sound(pa, size) ? plicRead(p - <u32>Map.PLIC) : 0;
  }
  if (within(p, Map.ACLINT, Map.ACLINT_SIZE)) {
    countExit(DeviceKind.ACLINT, 0, ExitDirection.READ, p - <u32>Map.ACLINT);
    return sound(pa, size) ? aclintRead(p - <u32>Map.ACLINT, size) : 0;
  }
  if (within(p, Map.RTC, Map.RTC_SIZE)) {
    countExit(DeviceKind.RTC, 0, ExitDirection.READ, p - <u32>Map.RTC);
    return size == 4 && sound(pa, size) ? rtcRead(p - <u32>Map.RTC) : 0;
  }
  if (within(p, Map.FINISHER, Map.FINISHER_SIZE)) {
    countExit(DeviceKind.FINISHER, 0, ExitDirection.READ, p - <u32>Map.FINISHER);
    return finisherRead();
  }
  if (within(p, Map.PCIE_PIO, Map.PCIE_PIO_SIZE)) {
    if (pciLookup(pa)) return barRead(pa, size);
    countExit(DeviceKind.PCI_HOST, 0, ExitDirection.READ, p);
    return ones(size);
  }
  if (within(p, Map.MROM, Map.MROM_SIZE)) {
    countExit(DeviceKind.BOOT_ROM, 0, ExitDirection.READ, p - <u32>Map.MROM);
    return 0;
  }
  if (isCustom(p)) {
    const index = (p - <u32>Map.CUSTOM) / <u32>Map.CUSTOM_STRIDE;
    const offset = (p - <u32>Map.CUSTOM) % <u32>Map.CUSTOM_STRIDE;
    countExit(DeviceKind.CUSTOM, index, ExitDirection.READ, offset);
    return sound(pa, size) ? customDeviceRead(index, offset, size) : 0;
  }
  return unmappedRead(pa);
}

export function busWrite(pa: u64, size: u32, value: u64): void {
  if (pa >= 0x8000_0000) {
    if (inHighWindow(pa)) barWrite(pa, size, value);
    else countExit(DeviceKind.UNMAPPED, 0, ExitDirection.WRITE, pa);
    return;
  }
  const p = <u32>pa;
  if (p >= <u32>Map.PCIE_MMIO) {
    barWrite(pa, size, value);
  } else if (p >= <u32>Map.PCIE_ECAM) {
    ecamWrite(p - <u32>Map.PCIE_ECAM, size, value);
  } else if (within(p, Map.VIRTIO, Map.VIRTIO_SLOT_SIZE * Map.VIRTIO_SLOTS)) {
    const offset = (p - <u32>Map.VIRTIO) & (<u32>Map.VIRTIO_SLOT_SIZE - 1);
    const slot = (p - <u32>Map.VIRTIO) / <u32>Map.VIRTIO_SLOT_SIZE;
    countExit(slotKind(slot), slot, ExitDirection.WRITE, offset);
    if (sound(pa, size)) virtioMmioWrite(slot, offset, size, value);
  } else if (within(p, Map.UART, Map.UART_SIZE * UARTS)) {
    const port = (p - <u32>Map.UART) / <u32>Map.UART_SIZE;
    const offset = p & (<u32>Map.UART_SIZE - 1);
    countExit(DeviceKind.UART, port, ExitDirection.WRITE, offset);
    if (sound(pa, size)) uartWrite(port, offset, <u32>value);
  } else if (hasAia() && aiaMapped(p)) {
    aiaWrite(p, size, value);
  } else if (!hasAia() && within(p, Map.PLIC, Map.PLIC_SIZE)) {
    countExit(DeviceKind.PLIC, 0, ExitDirection.WRITE, p - <u32>Map.PLIC);
    nvmeLook(); // a driver that ends its interrupt here may have consumed all without a doorbell
    if (size == 4 && sound(pa, size)) plicWrite(p - <u32>Map.PLIC, <u32>value);
  } else if (within(p, Map.ACLINT, Map.ACLINT_SIZE)) {
    countExit(DeviceKind.ACLINT, 0, ExitDirection.WRITE, p - <u32>Map.ACLINT);
    if (sound(pa, size)) aclintWrite(p - <u32>Map.ACLINT, size, value);
  } else if (within(p, Map.RTC, Map.RTC_SIZE)) {
    countExit(DeviceKind.RTC, 0, ExitDirection.WRITE, p - <u32>Map.RTC);
    if (size == 4 && sound(pa, size)) rtcWrite(p - <u32>Map.RTC, <u32>value);
  } else if (within(p, Map.FINISHER, Map.FINISHER_SIZE)) {
    countExit(DeviceKind.FINISHER, 0, ExitDirection.WRITE, p - <u32>Map.FINISHER);
    if ((size == 2 || size == 4) && sound(pa, size)) finisherWrite(p - <u32>Map.FINISHER, <u32>value);
  } else if (within(p, Map.PCIE_PIO, Map.PCIE_PIO_SIZE)) {
    if (pciLookup(pa)) barWrite(pa, size, value);
    else countExit(DeviceKind.PCI_HOST, 0, ExitDirection.WRITE, p);
  } else if (within(p, Map.MROM, Map.MROM_SIZE)) {
    countExit(DeviceKind.BOOT_ROM, 0, ExitDirection.WRITE, p - <u32>Map.MROM);
  } else if (isCustom(p)) {
    const index = (p - <u32>Map.CUSTOM) / <u32>Map.CUSTOM_STRIDE;
    const offset = (p - <u32>Map.CUSTOM) % <u32>Map.CUSTOM_STRIDE;
    countExit(DeviceKind.CUSTOM, index, ExitDirection.WRITE, offset);
    if (sound(pa, size)) customDeviceWrite(index, offset, size, value);
  } else {
    countExit(DeviceKind.UNMAPPED, 0, ExitDirection.WRITE, pa);
  }
}

// @ts-ignore: decorator
@inline
function isCustom(p: u32): bool {
  return within(p, Map.CUSTOM, Map.CUSTOM_STRIDE * Map.CUSTOM_DEVICES) && customMapped(p - <u32>Map.CUSTOM);
}

/** The Advanced Interrupt Architecture's places. Machine level's are the hypervisor's own where there is no firmware. */
function aiaMapped(p: u32): bool {
  if (inImsicPages(p, Level.SUPERVISOR) || within(p, Map.APLIC_S, Map.APLIC_SIZE)) return true;
  if (load<u32>(<usize>Machine.BOOT) == <u32>BootMode.PARAVIRT) return false;
  return inImsicPages(p, Level.MACHINE) || within(p, Map.APLIC_M, Map.APLIC_SIZE);
}

function aiaRead(p: u32, size: u32): u64 {
  const level: Level = p >= <u32>Map.IMSIC_S ? Level.SUPERVISOR : Level.MACHINE;
  if (inImsicPages(p, level)) {
    countExit(DeviceKind.IMSIC, level, ExitDirection.READ, p & (<u32>Map.IMSIC_PAGE - 1));
    return 0;
  }
  const domain: Domain = p >= <u32>Map.APLIC_S ? Domain.SUPERVISOR : Domain.MACHINE;
  const offset = p & (<u32>Map.APLIC_SIZE - 1);
  countExit(DeviceKind.APLIC, domain, ExitDirection.READ, offset);
  return size == 4 && sound(p, size) ? aplicRead(domain, offset) : 0;
}

function aiaWrite(p: u32, size: u32, value: u64): void {
  const level: Level = p >= <u32>Map.IMSIC_S ? Level.SUPERVISOR : Level.MACHINE;
  if (inImsicPages(p, level)) {
    countExit(DeviceKind.IMSIC, level, ExitDirection.WRITE, p & (<u32>Map.IMSIC_PAGE - 1));
    if (size == 4 && sound(p, size)) imsicWrite(level, p, <u32>value);
    return;
  }
  const domain: Domain = p >= <u32>Map.APLIC_S ? Domain.SUPERVISOR : Domain.MACHINE;
  const offset = p & (<u32>Map.APLIC_SIZE - 1);
  countExit(DeviceKind.APLIC, domain, ExitDirection.WRITE, offset);
  if (size == 4 && sound(p, size)) aplicWrite(domain, offset, <u32>value);
}

function unmappedRead(pa: u64): u64 {
  countExit(DeviceKind.UNMAPPED, 0, ExitDirection.READ, pa);
  return 0;
}

/** What sits in a virtio mmio slot, for the counters; an empty slot answers, but as nothing. */
// @ts-ignore: decorator
@inline
function slotKind(slot: u32): u32 {
  const kind = virtioKind(slot);
  return kind != <u32>DeviceKind.NONE ? kind : <u32>DeviceKind.UNMAPPED;
}

// Configuration accesses are counted by slot and register.

function ecamRead(offset: u32, size: u32): u64 {
  countExit(DeviceKind.PCI_CONFIG, (offset >> 15) & 0x1f, ExitDirection.READ, offset & 0xfff);
  if (!sound(offset, size)) return ones(min(max(size, 1), 8));
  const slot = ecamSlot(offset);
  if (configWindow(slot, offset & 0xfff)) return functionRead(slot, windowBar, windowOffset, windowLength);
  return configRead(slot, offset & 0xfff, size);
}

function ecamWrite(offset: u32, size: u32, value: u64): void {
  countExit(DeviceKind.PCI_CONFIG, (offset >> 15) & 0x1f, ExitDirection.WRITE, offset & 0xfff);
  if (!sound(offset, size)) return;
  const slot = ecamSlot(offset);
  if (configWindow(slot, offset & 0xfff)) functionWrite(slot, windowBar, windowOffset, windowLength, value & ones(windowLength));
  else configWrite(slot, offset & 0xfff, size, value);
}

function barRead(pa: u64, size: u32): u64 {
  if (!pciLookup(pa)) {
    countExit(DeviceKind.UNMAPPED, 0, ExitDirection.READ, pa);
    return ones(min(max(size, 1), 8));
  }
  const slot = foundSlot;
  const f = functionAt(slot);
  countBar(f.kind, f.instance, ExitDirection.READ, foundBar, foundOffset);
  return sound(pa, size) ? functionRead(slot, foundBar, foundOffset, size) : 0;
}

function barWrite(pa: u64, size: u32, value: u64): void {
  if (!pciLookup(pa)) {
    countExit(DeviceKind.UNMAPPED, 0, ExitDirection.WRITE, pa);
    return;
  }
  const slot = foundSlot;
  const f = functionAt(slot);
  countBar(f.kind, f.instance, ExitDirection.WRITE, foundBar, foundOffset);
  if (sound(pa, size)) functionWrite(slot, foundBar, foundOffset, size, value);
}

function functionRead(slot: u32, bar: u32, offset: u32, size: u32): u64 {
  const register = msixRegister(slot, bar, offset);
  if (register != 0) return msixRead(register, size);
  const f = functionAt(slot);
  switch (f.kind) {
    case DeviceKind.NVME:
      return nvmeRead(f.instance, offset, size);
    case DeviceKind.AHCI:
      return ahciRead(offset, size);
    case DeviceKind.E1000:
    case DeviceKind.E1000E:
      return e1000Read(f.instance, bar, offset, size);
    default:
      return virtioId(f.kind) != <u32>VirtioId.NONE ? virtioPciRead(f.instance, bar, offset, size) : ones(size);
  }
}

function functionWrite(slot: u32, bar: u32, offset: u32, size: u32, value: u64): void {
  const register = msixRegister(slot, bar, offset);
  if (register != 0) {
    msixWrite(slot, register, size, value);
    return;
  }
  const f = functionAt(slot);
  switch (f.kind) {
    case DeviceKind.NVME:
      nvmeWrite(f.instance, offset, size, value);
      break;
    case DeviceKind.AHCI:
      ahciWrite(offset, size, value);
      break;
    case DeviceKind.E1000:
    case DeviceKind.E1000E:
      e1000Write(f.instance, bar, offset, size, value);
      break;
    default:
      if (virtioId(f.kind) != <u32>VirtioId.NONE) virtioPciWrite(f.instance, bar, offset, size, value);
      break;
  }
}
