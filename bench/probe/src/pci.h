// PCI functions behind the ECAM of the one host bridge.
#pragma once
#include "machine.h"

struct PciFunction {
  u64 config; // address of its configuration space
  u32 device; // on bus 0
  u64 bars[6]; // CPU addresses once assigned
};

/// Finds the first function on bus 0 whose (register & mask) equals `value`.
bool pciFind(u32 reg, u32 mask, u32 value, struct PciFunction *out);
/// Sizes and assigns the memory BARs, enables decoding and bus mastering; false if the window is too small.
bool pciEnable(struct PciFunction *function);
/// PLIC source of the function's INTx pin, or 0.
u32 pciInterruptSource(const struct PciFunction *function);

enum PciRegister {
  PCI_VENDOR_DEVICE = 0x00,
  PCI_COMMAND = 0x04, // status in the high half
  PCI_CLASS_REVISION = 0x08,
  PCI_HEADER_TYPE = 0x0e,
  PCI_BAR = 0x10,
  PCI_CAPABILITIES = 0x34,
  PCI_INTERRUPT_PIN = 0x3d,
};
