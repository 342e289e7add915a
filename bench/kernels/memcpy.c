// Copies 128 KiB to and fro, 64 bytes a turn, as a C library does it.
#include "kernel.h"

enum { COUNT = 16384 };
static uint64_t a[COUNT], b[COUNT];

__attribute__((noinline)) static void copy(uint64_t *restrict to, const uint64_t *restrict from) {
  for (size_t i = 0; i < COUNT; i += 8) {
    uint64_t x0 = from[i], x1 = from[i + 1], x2 = from[i + 2], x3 = from[i + 3];
    uint64_t x4 = from[i + 4], x5 = from[i + 5], x6 = from[i + 6], x7 = from[i + 7];
    to[i] = x0, to[i + 1] = x1, to[i + 2] = x2, to[i + 3] = x3;
    to[i + 4] = x4, to[i + 5] = x5, to[i + 6] = x6, to[i + 7] = x7;
  }
}

uint64_t kernel(void) {
  // Neighbours change at each round, so that what was copied shows.
  const uint64_t value = random64();
  const size_t at = value % (COUNT - 2) + 1;
  a[at] = a[at - 1] * 3 + value;
  copy(b, a);
  b[at + 1] = b[at] + 1;
  copy(a, b);
  return a[at] ^ a[at + 1] ^ b[value / COUNT % COUNT];
}
