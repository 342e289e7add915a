// What a kernel is: a file that defines kernel(), which does one round of its work and
// returns something that depends on all of it. main-*.c call it ITERATIONS times.
#pragma once
#include <stddef.h>
#include <stdint.h>

uint64_t kernel(void);

/** The next of a fixed sequence of random numbers (SplitMix64). */
uint64_t random64(void);

/** Bits of a number, so that a checksum sees every one of them. */
static inline uint64_t bitsOf(double value) {
  union {
    double value;
    uint64_t bits;
  } both = {.value = value};
  return both.bits;
}
