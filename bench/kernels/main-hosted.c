// Runs a kernel ITERATIONS times under Linux and prints the checksum and the nanoseconds of
// CPU time that it took.
#include <inttypes.h>
#include <stdio.h>
#include <time.h>
#include "kernel.h"

static uint64_t cpuTime(void) {
  struct timespec t;
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
  return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

int main(void) {
  const uint64_t start = cpuTime();
  uint64_t sum = 0;
  for (uint64_t i = ITERATIONS; i > 0; i--) sum = sum * 5 + kernel();
  printf("%016" PRIx64 " %" PRIu64 "\n", sum, cpuTime() - start);
  return 0;
}
