// Fast Fourier transform of 4,096 complex doubles, there and back, in place: strides that
// double, loads and stores beside the arithmetic.
#include "kernel.h"

enum { LOG = 12, N = 1 << LOG };
struct Complex {
  double re, im;
};
static struct Complex points[N];
/** The first half of the N-th roots of one. */
static struct Complex roots[N / 2];

static struct Complex times(struct Complex a, struct Complex b) {
  return (struct Complex){a.re * b.re - a.im * b.im, a.re * b.im + a.im * b.re};
}

static void prepare(void) {
  // From the half turn on, an angle is halved until it is the smallest; each halving also
  // gives the roots between those that are there.
  struct Complex angle = {0, 1}; // a quarter turn
  roots[0] = (struct Complex){1, 0};
  for (int step = N / 4; step >= 1; step /= 2) {
    for (int i = 0; i < N / 2; i += 2 * step) roots[i + step] = times(roots[i], angle);
    const double re = __builtin_sqrt((1 + angle.re) / 2);
    angle = (struct Complex){re, angle.im / (2 * re)};
  }
  for (int i = 0; i < N; i++) points[i].re = (double)(int64_t)random64() * 0x1p-63;
}

static void reverseBits(void) {
  for (unsigned i = 0, j = 0; i < N; i++) {
    if (i < j) {
      struct Complex swap = points[i];
      points[i] = points[j];
      points[j] = swap;
    }
    // Adds one to j from the top.
    unsigned bit = N / 2;
    for (; j & bit; bit /= 2) j ^= bit;
    j |= bit;
  }
}

/** @param sign of the exponent: 1 there, -1 back (and N times too large). */
static void transform(double sign) {
  reverseBits();
  for (int half = 1; half < N; half *= 2) {
    const int stride = N / 2 / half;
    for (int start = 0; start < N; start += 2 * half) {
      for (int i = 0; i < half; i++) {
        struct Complex *a = &points[start + i], *b = a + half;
        struct Complex root = roots[i * stride];
        root.im *= sign;
        const struct Complex turned = times(*b, root);
        b->re = a->re - turned.re, b->im = a->im - turned.im;
        a->re += turned.re, a->im += turned.im;
      }
    }
  }
}

uint64_t kernel(void) {
  if (roots[0].re == 0) prepare();
  transform(1);
  uint64_t sum = 0;
  for (int i = 0; i < N; i += 64) sum = sum * 3 + bitsOf(points[i].re);
  // One frequency changes; the numbers stay of the same size.
  points[random64() % N].re *= 0.5;
  transform(-1);
  for (int i = 0; i < N; i++) points[i].re /= N, points[i].im /= N;
  return sum + bitsOf(points[N / 2].re);
}
