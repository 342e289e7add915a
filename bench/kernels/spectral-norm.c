// The spectral norm of an infinite matrix's corner, by the power method: an element is a
// division, computed again each time.
#include "kernel.h"

enum { N = 96, STEPS = 8 };
static double u[N], v[N], between[N];

static double element(int i, int j) { return 1.0 / ((i + j) * (i + j + 1) / 2 + i + 1); }

static void multiply(const double *from, double *to) {
  for (int i = 0; i < N; i++) {
    double sum = 0;
    for (int j = 0; j < N; j++) sum += element(i, j) * from[j];
    to[i] = sum;
  }
}

static void multiplyTransposed(const double *from, double *to) {
  for (int i = 0; i < N; i++) {
    double sum = 0;
    for (int j = 0; j < N; j++) sum += element(j, i) * from[j];
    to[i] = sum;
  }
}

uint64_t kernel(void) {
  for (int i = 0; i < N; i++) u[i] = 1.0 + (double)(random64() >> 12) * 0x1p-60;
  for (int step = 0; step < STEPS; step++) {
    multiply(u, between);
    multiplyTransposed(between, v);
    multiply(v, between);
    multiplyTransposed(between, u);
  }
  double uv = 0, vv = 0;
  for (int i = 0; i < N; i++) {
    uv += u[i] * v[i];
    vv += v[i] * v[i];
  }
  return bitsOf(__builtin_sqrt(uv / vv));
}
