// The four loops of the STREAM benchmark (copy, scale, add, triad) on integers, over three
// arrays of 512 KiB.
#include "kernel.h"

enum { COUNT = 65536 };
static uint64_t a[COUNT], b[COUNT], c[COUNT];

uint64_t kernel(void) {
  const uint64_t factor = random64() | 1;
  for (size_t i = 0; i < COUNT; i++) c[i] = a[i] + i;
  for (size_t i = 0; i < COUNT; i++) b[i] = factor * c[i];
  for (size_t i = 0; i < COUNT; i++) c[i] = a[i] + b[i];
  for (size_t i = 0; i < COUNT; i++) a[i] = b[i] + factor * c[i];
  return a[factor % COUNT] + a[COUNT - 1];
}
