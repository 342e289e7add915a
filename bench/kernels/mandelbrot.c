// The Mandelbrot set in doubles, 32 x 32 points, at most 200 steps each: arithmetic,
// comparisons and unpredictable ends.
#include "kernel.h"

enum { SIDE = 32, STEPS = 200 };

uint64_t kernel(void) {
  // Each round looks at another part.
  const double left = -2.0 + (double)(random64() >> 12) * 0x1p-53;
  uint64_t sum = 0;
  for (int row = 0; row < SIDE; row++) {
    for (int column = 0; column < SIDE; column++) {
      const double cx = left + column * (2.0 / SIDE), cy = -1.0 + row * (2.0 / SIDE);
      double x = 0, y = 0;
      uint64_t steps = 0;
      while (steps < STEPS) {
        const double xx = x * x, yy = y * y;
        if (xx + yy > 4.0) break;
        y = 2.0 * x * y + cy;
        x = xx - yy + cx;
        steps++;
      }
      sum = sum * 3 + steps;
    }
  }
  return sum;
}
