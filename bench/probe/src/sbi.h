// Calls of the RISC-V Supervisor Binary Interface, version 2.0; legacy console and shutdown for older firmware.
#pragma once
#include "types.h"

struct SbiResult {
  long error;
  long value;
};

bool sbiHasDebugConsole(void);
bool sbiHasTime(void);
bool sbiHasReset(void);
/// Returns how many bytes the debug console took, or a negative SBI error.
long sbiDebugConsoleWrite(const u8 *bytes, u64 length);
/// Paravane's own call that does nothing; false where there is none.
bool sbiNull(void);
/// The first call of whoever runs the guest; false where there is none.
bool sbiHost(void);
/// A call of an extension that nobody has; true if it was refused.
bool sbiUnknown(void);
void sbiPutchar(u8 byte);
void sbiSetTimer(u64 deadline);
void sbiShutdown(bool failure);
void sbiLegacyShutdown(void);
