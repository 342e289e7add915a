// Product of two matrices of 64 x 64 doubles. The compiler fuses multiply and add.
#include "kernel.h"

enum { N = 64 };
static double a[N][N], b[N][N], c[N][N];

uint64_t kernel(void) {
  for (int i = 0; i < N; i++) {
    for (int j = 0; j < N; j++) {
      a[i][j] = (double)(int64_t)random64() * 0x1p-63;
      b[j][i] = (double)(int32_t)random64() / 3.0;
    }
  }
  for (int i = 0; i < N; i++) {
    for (int j = 0; j < N; j++) {
      double sum = 0;
      for (int k = 0; k < N; k++) sum += a[i][k] * b[k][j];
      c[i][j] = sum;
    }
  }
  uint64_t sum = 0;
  for (int i = 0; i < N; i++) {
    for (int j = 0; j < N; j++) sum = sum * 3 + bitsOf(c[i][j]);
  }
  return sum;
}
