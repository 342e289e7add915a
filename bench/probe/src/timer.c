// One-shot timer events.
// clint: mtimecmp of the CLINT (SiFive FU540 manual, "CLINT"; ACLINT MTIMER), in M-mode, interrupt 7.
// sbi:   TIME set_timer (SBI 2.0, "Timer Extension"), in S-mode, interrupt 5.
// sstc:  stimecmp (Sstc extension), interrupt 5; in M-mode that interrupt is taken undelegated.
// As an operating system's driver does, the interrupt masks itself and arming unmasks it.
#include "timer.h"
#include "machine.h"
#include "sbi.h"

enum { CLINT_MTIMECMP = 0x4000, STIE = 1 << 5, MTIE = 1 << 7 };

static volatile bool fired;
static volatile u64 firedAt;

const char *timerStart(enum TimerDevice device) {
  switch (device) {
  case TIMER_CLINT:
    if (!machine.machineMode) return "the CLINT belongs to M-mode and this run is in S-mode";
    return machine.clint != 0 ? NULL : "no CLINT in the device tree";
  case TIMER_SBI:
    if (machine.machineMode) return "no SBI: this run is in M-mode";
    return sbiHasTime() ? NULL : "this SBI has no TIME extension";
  default:
    if (!machine.sstcListed) return "the device tree lists no Sstc";
    return stimecmpReadable() ? NULL : "Sstc is listed but reading stimecmp traps";
  }
}

void timerInterrupt(void) {
  firedAt = readTime();
  if (machine.machineMode) csrClear("mie", MTIE | STIE);
  else csrClear("sie", STIE);
  fired = true;
}

u64 timerWait(enum TimerDevice device, u64 deadline) {
  fired = false;
  // Deadline first: the pending bit of the last event must be gone when the interrupt is unmasked.
  if (device == TIMER_CLINT) {
    write64(machine.clint + CLINT_MTIMECMP + machine.hart * 8, deadline);
    ioFence();
    csrSet("mie", MTIE);
  } else {
    if (device == TIMER_SBI) sbiSetTimer(deadline);
    else csrWrite(CSR_STIMECMP, deadline);
    if (machine.machineMode) csrSet("mie", STIE);
    else csrSet("sie", STIE);
  }
  waitForInterrupt(&fired);
  return firedAt;
}
