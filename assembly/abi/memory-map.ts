// The guest's physical memory map: QEMU's `virt` board, so that whatever runs there runs here.
export const enum Map {
  MROM = 0x1000,
  MROM_SIZE = 0xf000,
  FINISHER = 0x10_0000,
  FINISHER_SIZE = 0x1000,
  RTC = 0x10_1000,
  RTC_SIZE = 0x1000,
  ACLINT = 0x200_0000, // mswi, then mtimer at +0x4000
  ACLINT_SIZE = 0x1_0000,
  PCIE_PIO = 0x300_0000,
  PCIE_PIO_SIZE = 0x1_0000,
  // Devices that the host defines, in the window where QEMU has its platform bus.
  CUSTOM = 0x400_0000,
  CUSTOM_STRIDE = 0x10_0000,
  CUSTOM_DEVICES = 16,
  PLIC = 0xc00_0000,
  PLIC_SIZE = 0x60_0000,
  // In the place of the PLIC, where the machine has the Advanced Interrupt Architecture.
  APLIC_M = 0xc00_0000,
  APLIC_S = 0xd00_0000,
  APLIC_SIZE = 0x8000,
  IMSIC_M = 0x2400_0000, // a page a hart
  IMSIC_S = 0x2800_0000,
  IMSIC_PAGE = 0x1000,
  UART = 0x1000_0000,
  UART_SIZE = 0x100,
  VIRTIO = 0x1000_1000, // 8 slots, 0x1000 apart
  VIRTIO_SLOT_SIZE = 0x1000,
  VIRTIO_SLOTS = 8,
  PCIE_ECAM = 0x3000_0000,
  PCIE_ECAM_SIZE = 0x1000_0000,
  PCIE_MMIO = 0x4000_0000,
  PCIE_MMIO_SIZE = 0x4000_0000,
  RAM = 0x8000_0000,
  // The 64-bit PCIe window: QEMU puts it above RAM, aligned to its own 16 GiB.
  PCIE_MMIO64_PAGE = 0x40_0000, // 0x4_0000_0000 >> 12
  PCIE_MMIO64_PAGES = 0x40_0000,
}

// Interrupt sources of the PLIC or APLIC, as on the `virt` board.
export const enum Irq {
  VIRTIO = 1, // 1 to 8
  UART = 10,
  RTC = 11,
  PCIE = 32, // INTA to INTD: 32 to 35
  CUSTOM = 64, // 64 to 79
  COUNT = 96,
}

/** The Advanced Interrupt Architecture as the `virt` board has it. */
export const enum Aia {
  /** Interrupt identities of an IMSIC's file: 1 to 255. */
  IDENTITIES = 255,
  /** Sources of the APLIC: 1 to 96. */
  SOURCES = 96,
  /** The identity that system software sends to other harts. */
  IPI = 1,
}

/** Ticks a second of `time`, mtime and the timers. */
export const enum Timebase {
  HZ = 10_000_000,
}
