// Merge sort of 16,384 random 64-bit keys, bottom up: compares, loads and stores.
#include "kernel.h"

enum { COUNT = 16384 };
static int64_t keys[COUNT], spare[COUNT];

static void merge(const int64_t *from, int64_t *to, size_t left, size_t middle, size_t right) {
  size_t a = left, b = middle;
  for (size_t i = left; i < right; i++) {
    if (a < middle && (b >= right || from[a] <= from[b])) to[i] = from[a++];
    else to[i] = from[b++];
  }
}

uint64_t kernel(void) {
  for (size_t i = 0; i < COUNT; i++) keys[i] = (int64_t)random64();
  int64_t *from = keys, *to = spare;
  for (size_t width = 1; width < COUNT; width *= 2) {
    for (size_t left = 0; left < COUNT; left += 2 * width) merge(from, to, left, left + width, left + 2 * width);
    int64_t *swap = from;
    from = to;
    to = swap;
  }
  uint64_t sum = 0;
  for (size_t i = 0; i < COUNT; i++) sum = sum * 31 + (uint64_t)from[i];
  return sum;
}
