// The probe: reads the device tree, does the workloads of the bootargs in their order, powers off.
#include "console.h"
#include "workload.h"

static struct Plan plan;

extern const char imageStart[], imageEnd[];

static u64 runWorkload(u32 number, const struct Workload *workload) {
  switch (workload->kind) {
  case WORKLOAD_CONSOLE:
    return runConsole(number, workload);
  case WORKLOAD_BLOCK:
    return runBlock(number, workload);
  case WORKLOAD_TIMER:
    return runTimer(number, workload);
  case WORKLOAD_LOAD:
    return runLoad(number, workload);
  default:
    return runCalibrate(number, workload);
  }
}

static void hello(void) {
  print("probe: hello version=1 mode=%s hart=%u image=%x memory=%x+%x timebase=%u control=%s sstc=%s workloads=%u\n",
        machine.machineMode ? "m" : "s", machine.hart, (u64)imageStart, machine.memoryBase, machine.memorySize,
        machine.timebase, controlName(), machine.sstcListed ? "listed" : "no", (u64)plan.count);
}

_Noreturn void probeMain(u64 hart, u64 tree, u64 machineMode) {
  machine.hart = hart;
  machine.machineMode = machineMode != 0;
  const char *wrong = fdtRead(tree);
  // Errors of the bootargs go to the default console; what they choose takes over for the rest.
  controlChoose(CONTROL_AUTO);
  if (wrong == NULL && ((u64)imageStart < machine.memoryBase ||
                        (u64)imageEnd - machine.memoryBase > machine.memorySize))
    wrong = "the image does not lie in the first memory region";
  if (wrong != NULL) {
    print("probe: error machine: %s\n", wrong);
    powerOff(POWER_OFF_AUTO, EXIT_MACHINE);
  }
  if (!bootargsParse(machine.bootargs, machine.bootargsLength, &plan)) powerOff(POWER_OFF_AUTO, EXIT_BOOTARGS);
  if (!controlChoose(plan.control)) {
    print("probe: error bootargs: this machine does not have the control console that they ask for\n");
    powerOff(plan.powerOff, EXIT_BOOTARGS);
  }
  hello();
  interruptsEnable();
  u64 errors = 0;
  for (u32 i = 0; i < plan.count; i++) errors += runWorkload(i + 1, &plan.workloads[i]);
  print("probe: done workloads=%u errors=%u\n", (u64)plan.count, errors);
  powerOff(plan.powerOff, errors == 0 ? EXIT_PASS : EXIT_ERRORS);
}
