// The three functions that a freestanding compiler may call of its own accord (GCC manual, "Language Standards").
#include "types.h"

void *memset(void *to, int value, size_t length) {
  u8 *bytes = to;
  for (size_t i = 0; i < length; i++) bytes[i] = (u8)value;
  return to;
}

void *memcpy(void *to, const void *from, size_t length) {
  u8 *target = to;
  const u8 *source = from;
  for (size_t i = 0; i < length; i++) target[i] = source[i];
  return to;
}

int memcmp(const void *left, const void *right, size_t length) {
  const u8 *a = left;
  const u8 *b = right;
  for (size_t i = 0; i < length; i++) {
    if (a[i] != b[i]) return a[i] - b[i];
  }
  return 0;
}
