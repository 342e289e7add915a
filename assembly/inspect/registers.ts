// Names of devices and their registers, as the data sheets write them: what the exit
// counters' offsets mean. Registers that form arrays go by their group.
import { DeviceKind } from "../abi/device";

export function deviceName(kind: u32): string {
  switch (kind) {
    case DeviceKind.FINISHER: return "finisher";
    case DeviceKind.RTC: return "rtc";
    case DeviceKind.ACLINT: return "aclint";
    case DeviceKind.PLIC: return "plic";
    case DeviceKind.UART: return "ns16550a";
    case DeviceKind.PCI_HOST: return "pci-host";
    case DeviceKind.PCI_CONFIG: return "pci-config";
    case DeviceKind.VIRTIO_CONSOLE: return "virtio-console";
    case DeviceKind.VIRTIO_BLK: return "virtio-blk";
    case DeviceKind.VIRTIO_RNG: return "virtio-rng";
    case DeviceKind.VIRTIO_9P: return "virtio-9p";
    case DeviceKind.VIRTIO_VSOCK: return "virtio-vsock";
    case DeviceKind.VIRTIO_NET: return "virtio-net";
    case DeviceKind.VIRTIO_BALLOON: return "virtio-balloon";
    case DeviceKind.VIRTIO_PMEM: return "virtio-pmem";
    case DeviceKind.VIRTIO_MEM: return "virtio-mem";
    case DeviceKind.VIRTIO_RTC: return "virtio-rtc";
    case DeviceKind.NVME: return "nvme";
    case DeviceKind.E1000: return "e1000";
    case DeviceKind.E1000E: return "e1000e";
    case DeviceKind.APLIC: return "aplic";
    case DeviceKind.IMSIC: return "imsic";
    case DeviceKind.UNMAPPED: return "unmapped";
    case DeviceKind.BOOT_ROM: return "boot-rom";
    case DeviceKind.AHCI: return "ahci";
    case DeviceKind.CUSTOM: return "custom";
    case DeviceKind.VIRTIO_CUSTOM: return "virtio-custom";
  }
  return "device " + kind.toString();
}

/** Name of the register at `offset` of a device; `pci` for the PCI form of a virtio device. Hexadecimal where there is none. */
export function registerName(kind: u32, offset: u32, pci: bool): string {
  let name = "";
  switch (kind) {
    case DeviceKind.UART: name = uart(offset); break;
    case DeviceKind.PLIC: name = plic(offset); break;
    case DeviceKind.ACLINT: name = aclint(offset); break;
    case DeviceKind.APLIC: name = aplic(offset); break;
    case DeviceKind.IMSIC: name = offset == 0 ? "seteipnum_le" : ""; break;
    case DeviceKind.NVME: name = nvme(offset); break;
    case DeviceKind.AHCI: name = ahci(offset); break;
    case DeviceKind.E1000:
    case DeviceKind.E1000E: name = e1000(offset); break;
    case DeviceKind.VIRTIO_CONSOLE:
    case DeviceKind.VIRTIO_BLK:
    case DeviceKind.VIRTIO_9P:
    case DeviceKind.VIRTIO_VSOCK:
    case DeviceKind.VIRTIO_NET:
    case DeviceKind.VIRTIO_BALLOON:
    case DeviceKind.VIRTIO_PMEM:
    case DeviceKind.VIRTIO_MEM:
    case DeviceKind.VIRTIO_RTC:
    case DeviceKind.VIRTIO_CUSTOM:
    case DeviceKind.VIRTIO_RNG: name = pci ? virtioPci(offset) : virtioMmio(offset); break;
  }
  return name != "" ? name : "0x" + offset.toString(16);
}

function uart(offset: u32): string {
  switch (offset) {
    case 0: return "RBR/THR";
    case 1: return "IER";
    case 2: return "IIR/FCR";
    case 3: return "LCR";
    case 4: return "MCR";
    case 5: return "LSR";
    case 6: return "MSR";
    case 7: return "SCR";
  }
  return "";
}

function plic(offset: u32): string {
  if (offset < 0x1000) return "priority";
  if (offset < 0x2000) return "pending";
  if (offset < 0x20_0000) return "enable";
  return (offset & 0xfff) == 4 ? "claim/complete" : (offset & 0xfff) == 0 ? "threshold" : "";
}

function aplic(offset: u32): string {
  switch (offset) {
    case 0x0000: return "domaincfg";
    case 0x1cdc: return "setipnum";
    case 0x1ddc: return "clripnum";
    case 0x1edc: return "setienum";
    case 0x1fdc: return "clrienum";
    case 0x2000: return "setipnum_le";
    case 0x3000: return "genmsi";
  }
  switch (offset >> 8) {
    case 0x1b: return offset < 0x1bc8 ? "mmsiaddrcfg" : "smsiaddrcfg";
    case 0x1c: return "setip";
    case 0x1d: return "in_clrip";
    case 0x1e: return "setie";
    case 0x1f: return "clrie";
  }
  if (offset < 0x1000) return "sourcecfg";
  return offset >= 0x3000 && offset < 0x4000 ? "target" : "";
}

function aclint(offset: u32): string {
  if (offset < 0x4000) return "msip";
  return offset >= 0xbff8 ? "mtime" : "mtimecmp";
}

function nvme(offset: u32): string {
  if (offset >= 0x1000 && offset < 0x2000) return ((offset >> 2) & 1) == 0 ? "SQ tail doorbell" : "CQ head doorbell";
  switch (offset) {
    case 0x00: return "CAP";
    case 0x04: return "CAP high";
    case 0x08: return "VS";
    case 0x0c: return "INTMS";
    case 0x10: return "INTMC";
    case 0x14: return "CC";
    case 0x1c: return "CSTS";
    case 0x24: return "AQA";
    case 0x28: return "ASQ";
    case 0x30: return "ACQ";
  }
  return "";
}

function ahci(offset: u32): string {
  if (offset >= 0x100) {
    switch (offset & 0x7f) {
      case 0x00: return "PxCLB";
      case 0x08: return "PxFB";
      case 0x10: return "PxIS";
      case 0x14: return "PxIE";
      case 0x18: return "PxCMD";
      case 0x20: return "PxTFD";
      case 0x24: return "PxSIG";
      case 0x28: return "PxSSTS";
      case 0x2c: return "PxSCTL";
      case 0x30: return "PxSERR";
      case 0x34: return "PxSACT";
      case 0x38: return "PxCI";
    }
    return "";
  }
  switch (offset) {
    case 0x00: return "CAP";
    case 0x04: return "GHC";
    case 0x08: return "IS";
    case 0x0c: return "PI";
    case 0x10: return "VS";
    case 0x24: return "CAP2";
  }
  return "";
}

/** The registers that drivers use once they have started; statistics and tables by their group. */
function e1000(offset: u32): string {
  switch (offset) {
    case 0x0000: return "CTRL";
    case 0x0008: return "STATUS";
    case 0x0010: return "EECD";
    case 0x0014: return "EERD";
    case 0x0018: return "CTRL_EXT";
    case 0x0020: return "MDIC";
    case 0x00c0: return "ICR";
    case 0x00c4: return "ITR";
    case 0x00c8: return "ICS";
    case 0x00d0: return "IMS";
    case 0x00d8: return "IMC";
    case 0x00dc: return "EIAC";
    case 0x00e0: return "IAM";
    case 0x00e4: return "IVAR";
    case 0x0100: return "RCTL";
    case 0x0400: return "TCTL";
    case 0x2810: return "RDH";
    case 0x2818: return "RDT";
    case 0x2820: return "RDTR";
    case 0x282c: return "RADV";
    case 0x3810: return "TDH";
    case 0x3818: return "TDT";
    case 0x3820: return "TIDV";
    case 0x382c: return "TADV";
    case 0x5000: return "RXCSUM";
    case 0x5008: return "RFCTL";
  }
  if (offset - 0xe8 < 20) return "EITR";
  if (offset - 0x4000 < 0x128) return "statistics";
  if (offset - 0x5200 < 0x200) return "MTA";
  if (offset - 0x5400 < 0x80) return "RAL/RAH";
  return offset - 0x5600 < 0x200 ? "VFTA" : "";
}

function virtioMmio(offset: u32): string {
  switch (offset) {
    case 0x000: return "MagicValue";
    case 0x004: return "Version";
    case 0x008: return "DeviceID";
    case 0x00c: return "VendorID";
    case 0x010: return "DeviceFeatures";
    case 0x014: return "DeviceFeaturesSel";
    case 0x020: return "DriverFeatures";
    case 0x024: return "DriverFeaturesSel";
    case 0x030: return "QueueSel";
    case 0x034: return "QueueNumMax";
    case 0x038: return "QueueNum";
    case 0x044: return "QueueReady";
    case 0x050: return "QueueNotify";
    case 0x060: return "InterruptStatus";
    case 0x064: return "InterruptACK";
    case 0x070: return "Status";
    case 0x0fc: return "ConfigGeneration";
  }
  return offset >= 0x100 ? "config" : "";
}

/** BAR layout of assembly/devices/virtio/pci: the four structures, 4 KiB apart. */
function virtioPci(offset: u32): string {
  switch (offset >> 12) {
    case 0: return "common configuration";
    case 1: return "ISR status";
    case 2: return "device configuration";
    case 3: return "queue notify";
  }
  return "";
}
