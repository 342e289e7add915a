// Consoles: the control console writes lines, a console workload drives a device as an operating system would.
#pragma once
#include "types.h"

// ns16550a.c
bool uartStart(void);
/// Connects the interrupt: polled output, and so the control console, works without a PLIC.
void uartAttach(void);
void uartWritePolled(const u8 *bytes, u64 length);
void uartWriteInterrupts(const u8 *bytes, u64 length);
/// Waits until the last bit has left, interrupts off.
void uartDrain(void);

// virtio-console.c
/// Returns what is missing, or null.
const char *virtioConsoleStart(void);
void virtioConsoleInterrupts(bool on);
bool virtioConsoleWrite(const u8 *bytes, u32 length);
