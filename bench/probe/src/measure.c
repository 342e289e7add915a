// The window that a workload is measured in. The host sees the same window through the marker lines: it takes its
// counters when a begin line and when an end line is complete, so what lies between is the workload and the end line.
#include "workload.h"

static bool instretKnown, instretUsable;
static struct Measure start;

static u64 readInstret(void) {
  if (!instretKnown) {
    instretUsable = instretReadable();
    instretKnown = true;
  }
  return instretUsable ? csrRead("instret") : 0;
}

void measureBegin(u32 number) {
  readInstret();
  print("probe: begin %u\n", (u64)number);
  start.instret = readInstret();
  start.ticks = readTime();
}

struct Measure measureEnd(u32 number) {
  u64 ticks = readTime(), instret = readInstret();
  print("probe: end %u\n", (u64)number);
  return (struct Measure){ticks - start.ticks, instret - start.instret};
}

void measurePrint(struct Measure measure) {
  print(" ticks=%u", measure.ticks);
  if (instretUsable) print(" instret=%u", measure.instret);
  else print(" instret=none");
}

u64 reportError(u32 number, const struct Workload *workload, const char *reason) {
  print("probe: error %u %s %s: %s\n", (u64)number, kindName(workload), deviceName(workload), reason);
  return 1;
}

u64 runCalibrate(u32 number, const struct Workload *workload) {
  measureBegin(number);
  struct Measure measure = measureEnd(number);
  print("probe: result %u calibrate %s", (u64)number, deviceName(workload));
  measurePrint(measure);
  print(" errors=0\n");
  return 0;
}
