// Platform-Level Interrupt Controller (RISC-V PLIC specification 1.0.0): priority, enable, threshold, claim/complete.
// As an operating system's driver does, it claims until there is nothing left to claim.
#include "machine.h"

enum Offset {
  PRIORITY = 0,
  ENABLE = 0x2000,
  ENABLE_STRIDE = 0x80,
  CONTEXT = 0x200000,
  CONTEXT_STRIDE = 0x1000,
  CONTEXT_CLAIM = 4, // threshold at 0
};
enum { SOURCES = 96 };

static void (*serveSource[SOURCES])(void);

static u64 contextBase(void) { return machine.plic + CONTEXT + (u64)machine.plicContext * CONTEXT_STRIDE; }

void plicAttach(u32 source, void (*serve)(void)) {
  if (machine.plic == 0 || source == 0 || source >= SOURCES) return;
  serveSource[source] = serve;
  write32(machine.plic + PRIORITY + source * 4, 1);
  write32(contextBase(), 0);
  u64 enable = machine.plic + ENABLE + (u64)machine.plicContext * ENABLE_STRIDE + source / 32 * 4;
  write32(enable, read32(enable) | 1u << source % 32);
}

void plicInterrupt(void) {
  u64 claim = contextBase() + CONTEXT_CLAIM;
  u32 source;
  while ((source = read32(claim)) != 0) {
    if (source < SOURCES && serveSource[source] != NULL) serveSource[source]();
    write32(claim, source);
  }
}
