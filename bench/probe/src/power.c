// Power off: SBI System Reset (SBI 2.0, chapter "System Reset Extension"), or SiFive's test finisher, a 32-bit register
// of which the low half says pass or fail and the high half carries the code of a failure.
#include "machine.h"
#include "sbi.h"

enum { FINISHER_PASS = 0x5555, FINISHER_FAIL = 0x3333 };

_Noreturn void park(void);

_Noreturn void powerOff(enum PowerOff way, enum ExitCode code) {
  bool reset = !machine.machineMode && sbiHasReset();
  if (reset && way != POWER_OFF_FINISHER) sbiShutdown(code != EXIT_PASS);
  if (machine.finisher != 0 && way != POWER_OFF_SRST)
    write32(machine.finisher, code == EXIT_PASS ? FINISHER_PASS : (u32)code << 16 | FINISHER_FAIL);
  if (!machine.machineMode) sbiLegacyShutdown();
  park();
}
