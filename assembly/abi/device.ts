// Device kinds and addresses of device state. A device's state is plain data at a
// fixed place; `Dev` gives each its room inside Layout.DEVICES.
export const enum Dev {
  PLIC = 0x1_0000, // 8 KiB
  ACLINT = 0x1_2000,
  FINISHER = 0x1_2800,
  RTC = 0x1_3000,
  UART = 0x1_4000, // 2 ports x 2 KiB
  UART_SIZE = 0x800,
  PCI_HOST = 0x1_5000,
  PCI_FUNCTIONS = 0x1_6000, // 32 functions x 1 KiB of configuration space and bookkeeping
  NVME = 0x2_0000, // 4 controllers x 16 KiB
  NVME_SIZE = 0x4000,
  VIRTIO = 0x3_0000, // 32 virtio devices x 4 KiB: 0-7 the mmio slots, 8-31 on PCI
  VIRTIO_SIZE = 0x1000,
  AHCI = 0x5_0000, // 8 KiB
  E1000 = 0x5_2000, // 4 controllers x 4 KiB
  E1000_SIZE = 0x1000,
  APLIC = 0x5_6000, // 4 KiB
  IMSIC = 0x5_7000, // 4 KiB
  SHARES = 0x5_8000, // 4 KiB: buffers of the 9P request under way
  VSOCK = 0x5_9000, // 4 KiB: buffers of the socket packets under way
  NET = 0x5_a000, // 8 KiB, what all network devices share: see NetAt in net.ts
  CUSTOM = 0x5_d000, // 256 bytes
  DISK_INTERRUPTS = 0x5_d400, // 1 KiB: interrupts of disks that wait
  CUSTOM_REQUEST = 0x5_e000, // 4 KiB: buffers of the request under way to a virtio device that the host defines
}

/** What answers behind a virtio transport or PCI function; also the `device` half of an exit counter's key. */
export const enum DeviceKind {
  NONE = 0,
  FINISHER = 1,
  RTC = 2,
  ACLINT = 3,
  PLIC = 4,
  UART = 5,
  PCI_HOST = 6,
  PCI_CONFIG = 7,
  VIRTIO_CONSOLE = 8,
  VIRTIO_BLK = 9,
  VIRTIO_RNG = 10,
  NVME = 11,
  UNMAPPED = 12,
  BOOT_ROM = 13,
  AHCI = 14,
  E1000 = 15,
  E1000E = 16,
  APLIC = 17,
  IMSIC = 18,
  VIRTIO_NET = 19,
  VIRTIO_BALLOON = 20,
  VIRTIO_9P = 21,
  VIRTIO_VSOCK = 22,
  VIRTIO_PMEM = 23,
  VIRTIO_MEM = 24,
  VIRTIO_RTC = 25,
  /** A device that the host defines. */
  CUSTOM = 26,
  /** The same behind a virtio transport. */
  VIRTIO_CUSTOM = 27,
}

/** Consoles as the host sees them: the argument of host.consoleOut and consoleInput. */
export const enum ConsolePort {
  UART = 0,
  SBI = 1,
  /** The second UART: a named stream of bytes, no console. */
  SERIAL = 2,
  /** virtio-console port n is VIRTIO + n; port 0 is hvc0. */
  VIRTIO = 16,
  VIRTIO_PORTS = 8,
}
