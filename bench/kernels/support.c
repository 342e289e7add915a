// What kernels need of others, the same on every target.
#include "kernel.h"

static uint64_t state;

uint64_t random64(void) {
  uint64_t z = (state += 0x9e3779b97f4a7c15);
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
  z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
  return z ^ (z >> 31);
}

// The compiler may call these two even in a freestanding program. A C library's are not
// taken where there is one: they would be other work.
void *memcpy(void *to, const void *from, size_t size) {
  uint8_t *d = to;
  const uint8_t *s = from;
  while (size--) *d++ = *s++;
  return to;
}

void *memset(void *to, int value, size_t size) {
  uint8_t *d = to;
  while (size--) *d++ = (uint8_t)value;
  return to;
}
