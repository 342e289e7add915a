// Loads, and now and then a store, all over 2 MiB: half the pages that a translation
// look-aside buffer of 1,024 entries reaches, in no order.
#include "kernel.h"

enum { COUNT = 262144, STEPS = 100000 };
static uint64_t cells[COUNT];

uint64_t kernel(void) {
  uint64_t at = random64();
  uint64_t sum = 0;
  for (int step = 0; step < STEPS; step++) {
    uint64_t *cell = &cells[at >> 40 & (COUNT - 1)];
    sum += *cell;
    if ((step & 7) == 0) *cell = sum ^ at;
    at = at * 6364136223846793005 + 1442695040888963407;
  }
  return sum;
}
