// PCI through ECAM (PCI Express Base Specification, "Enhanced Configuration Access Mechanism"; PCI Local Bus 3.0,
// chapter 6): bus 0 alone, memory BARs alone, placed one after another in the 32-bit window of the host bridge.
// Left out: bridges, I/O BARs, MSI and MSI-X (a board with a PLIC alone cannot receive them).
#include "pci.h"

enum { COMMAND_MEMORY = 2, COMMAND_MASTER = 4, BAR_IO = 1, BAR_64 = 4, MULTIFUNCTION = 0x80 };

static u64 windowUsed;

bool pciFind(u32 reg, u32 mask, u32 value, struct PciFunction *out) {
  if (machine.ecam == 0) return false;
  for (u32 device = 0; device < 32; device++) {
    for (u32 function = 0; function < 8; function++) {
      u64 offset = device << 15 | function << 12;
      if (offset + 0x1000 > machine.ecamSize) return false;
      u64 config = machine.ecam + offset;
      bool present = (read32(config + PCI_VENDOR_DEVICE) & 0xffff) != 0xffff;
      if (present && (read32(config + reg) & mask) == value) {
        *out = (struct PciFunction){.config = config, .device = device};
        return true;
      }
      if (function == 0 && (!present || (read8(config + PCI_HEADER_TYPE) & MULTIFUNCTION) == 0)) break;
    }
  }
  return false;
}

bool pciEnable(struct PciFunction *function) {
  u64 config = function->config;
  u32 command = read16(config + PCI_COMMAND);
  write16(config + PCI_COMMAND, (u16)(command & ~(COMMAND_MEMORY | COMMAND_MASTER)));
  for (u32 i = 0; i < 6; i++) {
    u64 bar = config + PCI_BAR + i * 4;
    write32(bar, 0xffffffff);
    u32 low = read32(bar);
    if (low == 0 || (low & BAR_IO) != 0) continue;
    bool wide = (low & BAR_64) != 0 && i < 5;
    u64 size = (u32)~(low & ~0xfu) + 1ull;
    // A 64-bit BAR of 4 GiB or more reads zero here and does not fit the window either.
    u64 offset = (windowUsed + size - 1) & ~(size - 1);
    if ((low & ~0xfu) == 0 || offset + size > machine.pciWindowSize) return false;
    windowUsed = offset + size;
    write32(bar, (u32)(machine.pciWindowBus + offset));
    if (wide) write32(bar + 4, 0);
    function->bars[i] = machine.pciWindowCpu + offset;
    if (wide) i++;
  }
  write16(config + PCI_COMMAND, (u16)(command | COMMAND_MEMORY | COMMAND_MASTER));
  return true;
}

u32 pciInterruptSource(const struct PciFunction *function) {
  u32 pin = read8(function->config + PCI_INTERRUPT_PIN);
  u32 address = function->device << 11 & machine.pciMapMask;
  for (u32 i = 0; i < machine.pciMapCount; i++) {
    if (machine.pciMap[i].address == address && machine.pciMap[i].pin == pin) return machine.pciMap[i].source;
  }
  return 0;
}
