// Timer workloads: `count` one-shot events, each `period` ticks ahead, waited for in WFI.
// late_sum and late_max are how long after the deadline the interrupt's first instructions read the time.
#include "timer.h"
#include "workload.h"

u64 runTimer(u32 number, const struct Workload *workload) {
  const char *wrong = timerStart(workload->device);
  if (wrong != NULL) return reportError(number, workload, wrong);
  u64 errors = 0, lateSum = 0, lateMax = 0;
  measureBegin(number);
  for (u64 i = 0; i < workload->count; i++) {
    u64 deadline = readTime() + workload->period;
    u64 firedAt = timerWait(workload->device, deadline);
    if (firedAt < deadline) {
      errors++;
      continue;
    }
    u64 late = firedAt - deadline;
    lateSum += late;
    if (late > lateMax) lateMax = late;
  }
  struct Measure measure = measureEnd(number);
  if (errors != 0) reportError(number, workload, "an interrupt came before its deadline");
  print("probe: result %u timer %s count=%u period=%u", (u64)number, deviceName(workload), workload->count,
        workload->period);
  measurePrint(measure);
  print(" ops=%u late_sum=%u late_max=%u errors=%u\n", workload->count, lateSum, lateMax, errors);
  return errors;
}
