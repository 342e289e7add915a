// Traps and waiting (Privileged Architecture, chapters "Machine-Level ISA" and "Supervisor-Level ISA").
// Interrupts nest nowhere: a trap is taken with interrupts off and returns with them on again.
// An exception that nobody expects is printed and ends the run.
#include "machine.h"
#include "timer.h"

enum Cause {
  ILLEGAL_INSTRUCTION = 2,
  SUPERVISOR_TIMER = 5,
  MACHINE_TIMER = 7,
  SUPERVISOR_EXTERNAL = 9,
  MACHINE_EXTERNAL = 11,
};
enum { SSTATUS_SIE = 1 << 1, MSTATUS_MIE = 1 << 3 };

static volatile bool illegalExpected, illegalSeen;
static bool dying;

_Noreturn void park(void);

static inline void interruptsOn(void) {
  if (machine.machineMode) csrSet("mstatus", MSTATUS_MIE);
  else csrSet("sstatus", SSTATUS_SIE);
}

static inline void interruptsOff(void) {
  if (machine.machineMode) csrClear("mstatus", MSTATUS_MIE);
  else csrClear("sstatus", SSTATUS_SIE);
}

/// External interrupts on; the timer's own bit belongs to timer.c.
void interruptsEnable(void) {
  if (machine.machineMode) csrSet("mie", 1 << MACHINE_EXTERNAL);
  else csrSet("sie", 1 << SUPERVISOR_EXTERNAL);
  interruptsOn();
}

/// Called by the vectors in entry.S; returns where to continue.
u64 trap(u64 cause, u64 epc, u64 tval) {
  if (cause >> 63) {
    u64 interrupt = cause << 1 >> 1;
    if (interrupt == MACHINE_EXTERNAL || interrupt == SUPERVISOR_EXTERNAL) {
      plicInterrupt();
      return epc;
    }
    if (interrupt == MACHINE_TIMER || interrupt == SUPERVISOR_TIMER) {
      timerInterrupt();
      return epc;
    }
  } else if (cause == ILLEGAL_INSTRUCTION && illegalExpected) {
    illegalSeen = true;
    return epc + 4; // a CSR instruction is never compressed
  }
  if (dying) park();
  dying = true;
  print("probe: trap cause=%x epc=%x tval=%x\n", cause, epc, tval);
  powerOff(POWER_OFF_AUTO, EXIT_TRAP);
}

void waitForInterrupt(volatile bool *done) {
  while (!*done) {
    interruptsOff();
    // WFI also ends while the interrupt is only pending, so one that arrives between test and WFI is not lost.
    if (!*done) __asm__ volatile("wfi" ::: "memory");
    interruptsOn();
  }
}

#define READABLE(name)        \
  ({                          \
    illegalSeen = false;      \
    illegalExpected = true;   \
    (void)csrRead(name);      \
    illegalExpected = false;  \
    !illegalSeen;             \
  })

bool instretReadable(void) { return READABLE("instret"); }

bool stimecmpReadable(void) {
  if (machine.machineMode) {
    enum { MENVCFG_STCE_BIT = 63 };
    illegalExpected = true;
    csrSet(CSR_MENVCFG, 1ull << MENVCFG_STCE_BIT);
    illegalExpected = false;
  }
  return READABLE(CSR_STIMECMP);
}
