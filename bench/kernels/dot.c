// Dot product of two vectors of 8,192 floats, four sums at a time.
#include "kernel.h"

enum { COUNT = 8192 };
static float a[COUNT], b[COUNT];

static void prepare(void) {
  for (int i = 0; i < COUNT; i++) {
    a[i] = (float)(int32_t)random64() / 2147483648.0f;
    b[i] = (float)(int32_t)random64() / 65536.0f;
  }
}

uint64_t kernel(void) {
  if (a[0] == 0) prepare();
  float sums[4] = {0, 0, 0, 0};
  for (int i = 0; i < COUNT; i += 4) {
    for (int k = 0; k < 4; k++) sums[k] += a[i + k] * b[i + k];
  }
  a[random64() % COUNT] += 0.25f;
  return bitsOf((double)(sums[0] + sums[1]) + (double)(sums[2] + sums[3]));
}
