// The machine as its device tree describes it, and the services that every driver uses.
#pragma once
#include "types.h"

struct VirtioSlot {
  u64 base;
  u32 source; // of the PLIC
};

struct InterruptMapEntry {
  u32 address; // phys.hi of the child unit address, masked
  u32 pin;
  u32 source;
};

struct Machine {
  bool machineMode; // entered in M-mode, no SBI
  u64 hart;
  u64 memoryBase, memorySize;
  u64 timebase; // ticks a second
  bool sstcListed;
  const char *bootargs;
  u32 bootargsLength;
  u64 uart;
  u32 uartSource;
  u64 clint;
  u64 finisher;
  u64 plic;
  u32 plicContext; // of this hart in the mode it runs in
  struct VirtioSlot virtio[8];
  u32 virtioCount;
  u64 ecam, ecamSize;
  u64 pciWindowCpu, pciWindowBus, pciWindowSize; // 32-bit memory space
  u32 pciMapMask;                                // of phys.hi
  struct InterruptMapEntry pciMap[32];
  u32 pciMapCount;
};
extern struct Machine machine;

// fdt.c
/// Fills `machine` from the flattened device tree; returns what is wrong with it, or null.
const char *fdtRead(u64 tree);

// plic.c
/// Enables a source and calls `serve` on each of its interrupts.
void plicAttach(u32 source, void (*serve)(void));
void plicInterrupt(void);

// trap.c
void interruptsEnable(void);
/// Returns once `*done` is set by an interrupt, in WFI until then.
void waitForInterrupt(volatile bool *done);
/// True if the number `instret` can be read here.
bool instretReadable(void);
/// True if the CSR stimecmp can be read here.
bool stimecmpReadable(void);

// power.c
enum PowerOff { POWER_OFF_AUTO, POWER_OFF_SRST, POWER_OFF_FINISHER };
enum ExitCode { EXIT_PASS, EXIT_ERRORS, EXIT_BOOTARGS, EXIT_MACHINE, EXIT_TRAP };
_Noreturn void powerOff(enum PowerOff way, enum ExitCode code);

// print.c: the control console
enum Control { CONTROL_AUTO, CONTROL_DBCN, CONTROL_SBI, CONTROL_UART };
/// Chooses the control console; false if this machine does not have it.
bool controlChoose(enum Control wanted);
const char *controlName(void);
/// Adds to the line, which goes out in one piece with its newline. %s string, %S pointer and 64-bit length, %u decimal,
/// %x hexadecimal, %k hexadecimal of at least eight digits; numbers are 64 bits wide.
void print(const char *format, ...);
